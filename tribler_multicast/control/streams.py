"""
Live streams: published, ended, listed.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..streams.errors import ImpossibleError, StreamError, TooManyError, UnknownStreamError
from .check import refuse, take_hex
from .lan import search
from .messages import Command, ListStreams
from .stream_messages import EndStream, PublishStream
from .stream_source import Source, source_url
from .views import stream_view

if TYPE_CHECKING:
    from ..client import ClientError
    from ..streams.streams import Streams
    from .call import Call, Handler

ID_SIZE: Final = 32

STATUSES: Final[tuple[tuple[type[StreamError], int], ...]] = (
    (UnknownStreamError, 404), (TooManyError, 503), (ImpossibleError, 422))
"""The HTTP status of errors, the first that fits; with all others the command was right, and the state of things is
not: 409."""


def refused(error: StreamError) -> ClientError:
    """
    Make an error of a stream the error of a command.
    """
    return refuse(str(error), next((status for kind, status in STATUSES if isinstance(error, kind)), 409))


def streams_of(call: Call) -> Streams:
    """
    Get the streams of this node; 503 when it does not take part.
    """
    call.check_enabled()
    if call.parts.streams is None:
        raise refuse("this node streams nothing", 503)
    return call.parts.streams


async def publish(call: Call, command: PublishStream) -> dict[str, Any]:
    """
    Begin a stream.
    """
    streams = streams_of(call)
    url = None if command.source is None else source_url(command.source)
    try:
        published = streams.publish(command.name, command.media_type)
    except StreamError as error:
        raise refused(error) from error
    if url is not None:
        Source(streams, published, url)
    return own_view(streams, published.channel.stream_id)


async def end(call: Call, command: EndStream) -> dict[str, Any]:
    """
    End a stream.
    """
    take_hex(command.stream_id, "stream_id", ID_SIZE)
    try:
        streams_of(call).end(command.stream_id.lower())
    except StreamError as error:
        raise refused(error) from error
    return {"stream_id": command.stream_id.lower()}


def own_view(streams: Streams, stream_id: str) -> dict[str, Any]:
    """
    Get a stream that is on air as plain values.
    """
    return next(stream_view(each, streams.shown(stream_id)) for each in streams.on_air()
                if each.stream_id == stream_id)


async def list_streams(call: Call, command: ListStreams) -> dict[str, Any]:
    """
    Ask for streams, and add what is known here.
    """
    call.check_enabled()
    found = await search(call, "", ("stream",), command.timeout) if command.timeout else []
    if call.parts.streams is None:
        return {"streams": found}
    streams = call.parts.streams
    views = {each.stream_id: stream_view(each, streams.shown(each.stream_id)) for each in streams.on_air()}
    for each in found:
        known = views.get(each["stream_id"])
        if known is None:
            views[each["stream_id"] or each["infohash"]] = each
        else:
            views[each["stream_id"]] = {**known, "peers": each["peers"], "holders": each["holders"]}
    return {"streams": list(views.values())}


HANDLERS: dict[type[Command], Handler] = {PublishStream: publish, EndStream: end, ListStreams: list_streams}
