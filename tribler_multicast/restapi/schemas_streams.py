"""
The shapes of live streams, for the documentation in ``/docs``.
"""
from __future__ import annotations

from marshmallow.fields import Boolean, Float, Integer, List, String

from .schemas import FoundSchema, schema


def _text(description: str) -> String:
    return String(metadata={"description": description}, allow_none=True)


def _count(description: str) -> Integer:
    return Integer(metadata={"description": description}, allow_none=True)


class StreamSchema(FoundSchema):
    """
    A stream: what is found, and of a live one what more is known.
    """

    media_type = _text("such as video/mp2t; null: not said")
    publisher = _text("mid, hex")
    started = Float(allow_none=True, metadata={"description": "Unix seconds"})
    rate = Float(allow_none=True, metadata={"description": "bytes/s"})
    viewers = _count("of all nodes, as far as the publisher knows")
    own = Boolean(metadata={"description": "published by this node"})
    readers = _count("connections of players at this node")
    watched = Boolean(metadata={"description": "somebody plays it at this node"})
    buffered = _count("bytes that this node keeps of it")
    position = _count("bytes since it began")
    lost = _count("bytes that never came")
    skipped = _count("bytes that players of this node did not get: lost, or they were too slow")
    delay = Float(allow_none=True, metadata={"description": "seconds from its source to this node"})
    sources = List(String(), allow_none=True, metadata={"description": "mids of those from whom it comes"})
    token = _text("for players: opens this stream without the key, and nothing else")


PublishStreamSchema = schema(MulticastPublishStream={
    "name": (String, "what it is called"),
    "type": (String, "its media type, such as video/mp2t or audio/mpeg; absent: not known"),
    "source": (String, "an http(s) URL from which it comes; absent: it is fed by PUT /streams/ID/data"),
})
StreamsSchema = schema(MulticastStreams={"streams": [StreamSchema]})
FedStreamSchema = schema(MulticastFedStream={"stream_id": (String, "hex"), "received": (Integer, "bytes")})
EndedStreamSchema = schema(MulticastEndedStream={"stream_id": (String, "hex")})
