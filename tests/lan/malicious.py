"""
A member that holds every key a member holds, and uses them against the others: this program, with parts of it replaced.

    python tests/lan/malicious.py ATTACK receive --any --output DIR ...      what follows is for tribler-multicast

Says its mid on stderr first ("mallory MID"). It receives as an honest one does, besides.
"""
from __future__ import annotations

import asyncio
import socket
import struct
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.lan.packets import udp_frame
from tests.transfer.attackers import SpoilingHelper
from tribler_multicast import cli
from tribler_multicast.coding import MAX_SYMBOLS
from tribler_multicast.lan.session_group import SESSION_PORT, group_of
from tribler_multicast.protocol.wire import Kind
from tribler_multicast.standalone import oneshot
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.service import giver, holding
from tribler_multicast.transfer.service.incoming import Incoming
from tribler_multicast.transfer.session import cooperation
from tribler_multicast.transfer.session.coop_messages import Help, Want
from tribler_multicast.transfer.session.messages import pack_report
from tribler_multicast.transfer.session.packets import KEY_SIZE, NUMBERED, PLACE, TAG_SIZE
from tribler_multicast.transfer.session.reports import WHOLE, Arrival, Lacks, Report, Run
from tribler_multicast.transfer.session.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tribler_multicast.transfer.session.sender import Batch

INTERFACE = "eth0"
REPLAYED = 1 / 8
"""Share of what came to the group that is sent there again: more would be a flood, which nobody can be kept from."""
RANDOM = Random(1)
TASKS: set[asyncio.Task[None]] = set()


def say_who() -> None:
    """
    Say our mid as soon as we have one.
    """
    load = oneshot.TemporaryNode.load

    def loaded(node: Any) -> Any:  # noqa: ANN401
        community = load(node)
        print("mallory", community.my_peer.mid.hex(), file=sys.stderr, flush=True)
        return community

    oneshot.TemporaryNode.load = loaded  # type: ignore[method-assign]


def in_each_session(attack: Callable[[Incoming], Coroutine[Any, Any, None]]) -> None:
    """
    Begin an attack with each session that lets us in.
    """
    begin = Incoming.begin

    def begun(incoming: Incoming, *arguments: Any) -> Any:  # noqa: ANN401
        receiver = begin(incoming, *arguments)
        task = asyncio.get_running_loop().create_task(attack(incoming))
        TASKS.add(task)
        task.add_done_callback(TASKS.discard)
        return receiver

    Incoming.begin = begun  # type: ignore[method-assign]


def group_socket(incoming: Incoming) -> tuple[socket.socket, tuple[str, int]]:
    """
    Get what sends to the group of a session as a neighbour does.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)  # Else what is heard of it is sent again, for ever.
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("@4s4si", bytes(4), bytes(4),
                                                                         incoming.socket.key[0]))
    return sock, (group_of(incoming.accept.tag, 4), SESSION_PORT)


# --- The attacks.


def recoded() -> None:
    """
    Answer every HELP with nonsense, as oneself.
    """
    cooperation.Helper = holding.Helper = SpoilingHelper  # type: ignore[misc]


def numbered() -> None:
    """
    The same, with packets that only one who has all of a segment would send.
    """
    SpoilingHelper.form = NUMBERED
    recoded()


def other() -> None:
    """
    The same, from the address of another member.
    """
    recoded()
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.bind((INTERFACE, 0))

    def mac(address: str) -> bytes:
        return bytes((2, 0, 0, 0, 1, int(address.rpartition(".")[2])))

    def send(self: giver.Giver, batch: Batch) -> None:
        mid = batch.member or b""
        way, client = self._ways.get(mid), self.helper.clients.get(mid)
        if way is None or client is None or not client.port:
            return
        others = [path.address for each in self.courier.neighbours() if each != mid
                  for path in self.courier.paths(each)[:1]] or [way[1]]
        for at in range(0, len(batch.datagrams), batch.size):
            frame = udp_frame((mac(others[0]), mac(way[1])), (others[0], 32126), (way[1], client.port),
                              bytes(batch.datagrams[at:at + batch.size]), hop_limit=255)
            try:
                raw.send(frame)
            except OSError:
                return

    giver.Giver._send = send  # type: ignore[method-assign]


def source(ahead: int = 1) -> None:
    """
    Send nonsense to the group in the name of the source.
    """
    async def forge(incoming: Incoming) -> None:
        sock, group = group_socket(incoming)
        stream = Stream(incoming.accept.tag, incoming.accept.group_key, unicast=False, sealed=incoming.accept.sealed)
        while not incoming._closed:
            receiver = incoming.receiver
            assert receiver is not None
            stream.sequence = receiver.tracks[0].highest + ahead - 1
            for _ in range(4):
                generation = RANDOM.choice([each for each in receiver.geometry.of(receiver.passing or 0)
                                            if receiver.sizes[each]])
                place = PLACE.pack(generation, RANDOM.randrange(receiver.sizes[generation]))
                made = stream.one(NUMBERED, place + RANDOM.randbytes(receiver.geometry.symbol),
                                  incoming.loop.time(), 5)
                sock.sendto(made, group)
            await asyncio.sleep(0.02)

    in_each_session(forge)


def jump() -> None:
    """
    The same with sequences far ahead, so that what the source sends is old.
    """
    source(100_000)


def liar() -> None:
    """
    Say again and again that everything is lacking, and that nothing arrives, and order everything of everybody.
    """
    async def lie(incoming: Incoming) -> None:
        number = 1 << 20
        content_id, courier, link = incoming.accept.content_id, incoming.courier, incoming.socket.key
        while not incoming._closed and incoming.receiver is not None:
            number += 1
            geometry = incoming.receiver.geometry
            lacks = Lacks(0, geometry.generations, [Run(0, geometry.generations, WHOLE)])
            report = Report(number, Arrival(incoming.receiver.tracks[0].highest, 1), Arrival(), None, None, lacks)
            courier.send(incoming.mid, Kind.REPORT, pack_report(incoming.accept.tag, report.pack()), link)
            least = RANDOM.randrange(geometry.generations)
            wants = [Want(each, 60) for each in range(least, min(least + 17, geometry.generations))
                     if geometry.size(each)]
            for mid in courier.neighbours():
                wanted = Help(content_id, geometry.k, geometry.symbol, bytes((number % 256,)) * TAG_SIZE,
                              bytes(KEY_SIZE), incoming.socket.port, number, 1e9, True, False, False, None, 0, wants)
                courier.send(mid, Kind.HELP, wanted.pack(geometry), link)
            await asyncio.sleep(0.02)

    in_each_session(lie)


def replay() -> None:
    """
    Send a part of what comes to the group there once more, and old reports and HELPs, too.
    """
    by_group = Incoming._by_group
    sockets: dict[bytes, tuple[socket.socket, tuple[str, int]]] = {}

    def again(incoming: Incoming, data: memoryview, size: int, count: int, *more: Any) -> None:  # noqa: ANN401
        tag = incoming.accept.tag
        sock, group = sockets.get(tag) or sockets.setdefault(tag, group_socket(incoming))
        for at in range(0, len(data), size):
            if RANDOM.random() < REPLAYED:
                sock.sendto(data[at:at + size], group)
        by_group(incoming, data, size, count, *more)

    Incoming._by_group = again  # type: ignore[method-assign]


def rogue() -> None:
    """
    Publish what is not what the manifest says: all that is read is wrong.
    """
    read = Source.read

    def wrong(self: Source, segment: int) -> bytes:
        data = bytearray(read(self, segment))
        data[::MAX_SYMBOLS] = bytes(len(data[::MAX_SYMBOLS]))
        data[0] ^= 255
        return bytes(data)

    Source.read = wrong  # type: ignore[method-assign]


ATTACKS = {attack.__name__: attack for attack in (recoded, numbered, other, source, jump, liar, replay, rogue)}

if __name__ == "__main__":
    say_who()
    ATTACKS[sys.argv[1]]()
    del sys.argv[1]
    sys.exit(cli.main())
