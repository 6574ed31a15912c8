"""
The vocabulary for live streams: what this node streams now, and what runs on the local network.

A stream is known by its id (64 hex digits), of which no other publisher can have the same. Its bytes do not go through
the queues: they are fed and read by HTTP (docs/streams.md). ``ListStreams`` is among the ``node_messages``.
"""
from __future__ import annotations

from dataclasses import dataclass

from .message import Command


@dataclass(frozen=True)
class PublishStream(Command):
    """
    Begin a live stream. `media_type` is such as video/mp2t, "" for none; `source` is an http(s) URL from which the
    stream comes, None when it will be fed by HTTP. ``Done`` with the stream.
    """

    name: str
    media_type: str = ""
    source: str | None = None


@dataclass(frozen=True)
class EndStream(Command):
    """
    End a stream of this node; players get what there is.
    """

    stream_id: str
