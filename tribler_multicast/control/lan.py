"""
What is asked of the local network: who is there, pings, announcements, friends, searches.
"""
from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from ..client import RESULT_KINDS
from ..protocol.introduction import CAPABILITIES
from ..protocol.limits import MAX_PING_COUNT, MAX_QUERY, MAX_SEARCH_TIMEOUT
from ..protocol.queries import clean_text
from ..protocol.values import from_json, pack_values, to_json
from .check import refuse, shown, take_mid, take_number
from .messages import (
    AddFriend,
    Announce,
    Command,
    Discover,
    Found,
    Heard,
    Listen,
    ListFriends,
    ListPeers,
    Ping,
    Query,
    RemoveFriend,
)
from .peer_view import FILTERS, all_peers, live
from .views import found_view, ping_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..community.found import Found as FoundOnLan
    from ..community.local_peer import LocalPeer
    from .call import Call, Handler

MIN_TIMEOUT: Final = 0.05
"""Seconds. Less than one exchange on a busy Wi-Fi takes: nobody could answer in time."""

MAX_DISCOVER_TIMEOUT: Final = 60.0
"""Seconds. A LAN answers within two."""

MAX_DISCOVERS: Final = 8
MAX_PINGS: Final = 4
"""Discoveries and pings at once. Each speaks to the whole LAN; stops a program in a loop from making this node
shout."""


async def list_peers(call: Call, command: ListPeers) -> dict[str, Any]:
    """
    List the nodes that pass all filters.
    """
    wanted = {name: getattr(command, name) for name in FILTERS if getattr(command, name) is not None}
    return {"peers": [view for view in _peers(call)
                      if all(FILTERS[name](view) == value for name, value in wanted.items())]}


def _peers(call: Call) -> list[dict[str, Any]]:
    """
    Get every node known, now and earlier.
    """
    peers = all_peers(call.parts.database, call.parts.community.local_peers())
    said = {} if call.parts.weather is None else call.parts.weather.said()
    return [{**view, **said[view["mid"]]} if view["online"] and view["mid"] in said else view for view in peers]


async def discover(call: Call, command: Discover) -> dict[str, Any]:
    """
    Ask who is there.
    """
    take_number(command.timeout, "timeout", MIN_TIMEOUT, MAX_DISCOVER_TIMEOUT)
    for name in command.capabilities:
        if name not in CAPABILITIES:
            raise refuse(f"capabilities has the unknown name {shown(name)}, known are: {', '.join(CAPABILITIES)}")
    call.check_enabled()
    with call.control.limit("discoveries", MAX_DISCOVERS):
        found = await call.parts.community.discover(timeout=command.timeout, capabilities=list(command.capabilities))
    known = {view["mid"]: view for view in _peers(call)}
    peers = {item.peer.mid.hex(): item.peer for item in found}
    return {"peers": [known.get(mid) or live(peer) for mid, peer in peers.items()]}


async def ping(call: Call, command: Ping) -> dict[str, Any]:
    """
    Ping one or all.
    """
    mid = None if command.mid is None else take_mid(command.mid)
    if not 1 <= command.count <= MAX_PING_COUNT:
        raise refuse(f"count must be a whole number from 1 to {MAX_PING_COUNT}, not {shown(command.count)}")
    call.check_enabled()
    community = call.parts.community
    try:
        with call.control.limit("pings", MAX_PINGS):
            results = (await community.ping_all(command.count, throughput=command.throughput) if mid is None
                       else [await community.ping(mid, command.count, throughput=command.throughput)])
    except KeyError as error:
        raise refuse(f"No node that is local now has the mid {command.mid}", 404) from error
    except ValueError as error:
        raise refuse(str(error), 503) from error
    return {"results": [ping_view(result) for result in results]}


# --- Announcements.


async def announce(call: Call, command: Announce) -> dict[str, Any]:
    """
    Send a tuple. That it is done means that it is on its way, not that somebody has it.
    """
    try:
        values = from_json(list(command.values))
        pack_values(values)
    except ValueError as error:
        raise refuse(str(error)) from error
    call.check_enabled()
    try:
        return {"seq": call.parts.community.announce(values)}
    except ValueError as error:  # The values are good ones: it is the moment that is wrong, as when too much waits.
        raise refuse(str(error), 503) from error


async def listen(call: Call, command: Listen) -> dict[str, Any]:
    """
    Tell what others announce.
    """
    if command.count is not None and command.count < 1:
        raise refuse(f"count must be a whole number from 1, not {shown(command.count)}")
    left, enough = command.count, asyncio.Event()

    def heard(peer: LocalPeer, values: tuple[Any, ...]) -> None:
        nonlocal left
        if left == 0:
            return
        call.tell(Heard, peer.mid.hex(), peer.nickname, to_json(values), time.time())
        left = None if left is None else left - 1
        if left == 0:
            enough.set()

    call.parts.community.add_announcement_handler(heard)
    try:
        await enough.wait()
    finally:
        call.parts.community.remove_announcement_handler(heard)
    return {"count": command.count}


# --- Friends.


async def list_friends(call: Call, command: ListFriends) -> dict[str, Any]:
    """
    List all with whom there is something.
    """
    return {"peers": [view for view in _peers(call) if view["friend"] != "none"]}


async def add_friend(call: Call, command: AddFriend) -> dict[str, Any]:
    """
    Ask or accept.
    """
    return _decide(call, command.mid, call.parts.community.ask_friend)


async def remove_friend(call: Call, command: RemoveFriend) -> dict[str, Any]:
    """
    Refuse, take back or end it.
    """
    return _decide(call, command.mid, call.parts.community.withdraw_friend)


def _decide(call: Call, text: str, decide: Callable[[bytes], str]) -> dict[str, Any]:
    """
    Carry out a decision about a node, and get the node.
    """
    mid = take_mid(text)
    unknown = refuse(f"No node with the mid {mid.hex()} is known", 404)
    try:
        decide(mid)
    except KeyError as error:
        raise unknown from error
    except ValueError as error:
        raise refuse(f"The mid {mid.hex()} cannot be asked: {error}") from error
    view = next((view for view in _peers(call) if view["mid"] == mid.hex()), None)
    if view is None:  # It left, and was forgotten, at this very moment.
        raise unknown
    return view


# --- Searches.


async def query(call: Call, command: Query) -> dict[str, Any]:
    """
    Search by name.
    """
    try:
        raw = command.text.encode()
    except UnicodeEncodeError as error:
        raise refuse("text must be text that can be sent") from error
    if not clean_text(raw, len(raw)):
        raise refuse("text must say what to look for")
    if len(raw) > MAX_QUERY:
        raise refuse(f"text must be at most {MAX_QUERY} bytes, not {len(raw)}")
    for kind in command.kinds:
        if kind not in RESULT_KINDS:
            raise refuse(f"kinds has the unknown name {shown(kind)}, known are: {', '.join(RESULT_KINDS)}")
    if not command.kinds:
        raise refuse("kinds must name at least one")
    return {"results": await search(call, command.text, command.kinds, command.timeout)}


async def search(call: Call, text: str, kinds: tuple[str, ...], timeout: float) -> list[dict[str, Any]]:
    """
    Search, and tell what comes as it comes.
    """
    take_number(timeout, "timeout", MIN_TIMEOUT, MAX_SEARCH_TIMEOUT)
    call.check_enabled()

    def came(found: list[FoundOnLan]) -> None:
        call.tell(Found, [found_view(each) for each in found])

    try:
        found = await call.parts.community.search(text, kinds=kinds, timeout=timeout, partial=came)
    except ValueError as error:
        raise refuse(str(error), 503) from error
    return [found_view(each) for each in found]


HANDLERS: dict[type[Command], Handler] = {
    ListPeers: list_peers, Discover: discover, Ping: ping, Announce: announce, Listen: listen,
    ListFriends: list_friends, AddFriend: add_friend, RemoveFriend: remove_friend, Query: query,
}
