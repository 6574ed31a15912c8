"""
The shapes of what is published and transferred coded, for the documentation in ``/docs``.
"""
from __future__ import annotations

from marshmallow import Schema
from marshmallow.fields import Boolean, Float, Integer, List, Nested, String

from .schemas import schema


def _text(description: str, allow_none: bool = False) -> String:
    return String(metadata={"description": description}, allow_none=allow_none)


class PublicationSchema(Schema):
    """
    What this node offers.
    """

    content_id = _text("hex: all that others need to fetch it")
    name = String()
    size = Integer(metadata={"description": "bytes of all files"})
    files = Integer()
    path = _text("where it is on the node's machine")
    receivers = Integer(metadata={"description": "who receives it now"})
    finished = Integer(metadata={"description": "how many got all of it since it was published here, or the start"})
    uploaded = Integer(metadata={"description": "bytes sent of it"})
    error = _text("why it is not offered any more", allow_none=True)


class CodedPeerSchema(Schema):
    """
    With whom a transfer goes on.
    """

    mid = _text("hex")
    up = Integer(metadata={"description": "bytes/s to it"})
    down = Integer(metadata={"description": "bytes/s from it"})
    role = _text("its own: source, receiver or helper")
    way = _text("multicast or unicast")


class CodedFileSchema(Schema):
    """
    A file of a content.
    """

    path = _text("below the content, names separated by /")
    size = Integer(metadata={"description": "bytes"})


class CodedTransferSchema(Schema):
    """
    A content that is fetched, was fetched, or is sent to somebody.
    """

    id = _text("of the transfer, hex")
    content_id = _text("hex")
    name = _text("null: not known yet", allow_none=True)
    size = Integer(allow_none=True, metadata={"description": "bytes of all files"})
    role = _text("source, receiver or helper")
    state = _text("waiting, active, paused, checking, done or failed")
    progress = Float(metadata={"description": "0 to 1; of a source: what its receivers have, on average"})
    rank = Integer(allow_none=True, metadata={"description": "symbols that are here"})
    up = Integer(metadata={"description": "bytes/s"})
    down = Integer(metadata={"description": "bytes/s"})
    total_up = Integer(metadata={"description": "bytes"})
    total_down = Integer(metadata={"description": "bytes"})
    rate = Integer(allow_none=True, metadata={"description": "most that it takes, bytes/s; null: no limit"})
    peers = List(Nested(CodedPeerSchema))
    eta_s = Float(allow_none=True, metadata={"description": "seconds until it is done"})
    path = _text("where it is, or goes")
    error = _text("why it cannot go on", allow_none=True)


class CodedTransferWholeSchema(CodedTransferSchema):
    """
    The same with its files.
    """

    files = List(Nested(CodedFileSchema), allow_none=True, metadata={"description": "the first 1,000; null: not known"})
    files_total = Integer(allow_none=True)
    token = _text("for players: data?token=... needs no key. It opens the data of this transfer, nothing else")


class BrowsedSchema(Schema):
    """
    A file or folder on the node's machine.
    """

    name = String()
    path = String()
    dir = Boolean()


PublishSchema = schema(MulticastPublish={"path": (String, "a file or folder on the node's machine, absolute")})
PublicationsSchema = schema(MulticastPublications={"publications": [PublicationSchema]})
UnpublishedSchema = schema(MulticastUnpublished={"content_id": (String, "hex")})
FetchSchema = schema(MulticastFetch={
    "content_id": (String, "hex"),
    "output": (String, "absolute: an existing folder, or the name of the result; absent: the folder for downloads"),
    "rate": Integer(allow_none=True, metadata={"description": "most that it takes, bytes/s"}),
})
TransfersSchema = schema(MulticastTransfers={"transfers": [CodedTransferSchema]})
ChangeTransferSchema = schema(MulticastChangeTransfer={
    "state": (String, "paused or active"),
    "rate": Integer(allow_none=True, metadata={"description": "bytes/s; null or 0: no limit; absent: as it is"}),
})
RemovedTransferSchema = schema(MulticastRemovedTransfer={
    "id": (String, "hex"), "deleted": (Boolean, "whether what was fetched was to be deleted")})
BrowseSchema = schema(MulticastBrowse={"current": String, "paths": [BrowsedSchema], "separator": String})
