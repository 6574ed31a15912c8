"""
What a packet capture at every machine shows of a folder that goes to two at once: in a group and among friends nothing
of what is in it, of its names, its index and its hashes; with the policy `everyone` all of that.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from tests.standalone.oneshots import same
from tribler_multicast.lan.session_group import SESSION_PORT
from tribler_multicast.transfer.content.index import pack_index
from tribler_multicast.transfer.content.source import Source

from .node import wait_all_local
from .test_coded import fetch, folders, publish, wait_progress, wait_state
from .test_friends import befriend

if TYPE_CHECKING:
    from pathlib import Path

    from .node import Node
    from .packets import Packet
    from .testbed import Lan

PIECE = 16
SETTINGS: dict[str, dict[str, object]] = {
    "group": {"group_passphrase": "correct horse battery staple"}, "friends": {"policy": "friends"}, "everyone": {}}
NAME = "what-only-we-may-know"


def make_folder(folder: Path) -> Path:
    """
    Make a folder in which no 16 bytes are like any others.
    """
    root = folder / NAME
    root.mkdir(parents=True)
    for number in range(2):
        pieces = b"".join(sha256(b"%d %d" % (number, piece)).digest() for piece in range(8000))
        (root / f"{NAME}-{number}.mkv").write_bytes(pieces)
    return root


class Secrets:
    """
    What may not be read: any 16 bytes of the files, of the index and of the hashes, and the names.
    """

    def __init__(self, root: Path) -> None:
        source = Source.publish(root)
        self.index = self.cut(pack_index(source.entries), step=1)
        self.hashes = self.cut(b"".join(filter(None, map(source.tree.leaf, range(source.layout.segments)))))
        self.data = {piece for path in root.iterdir() for piece in self.cut(path.read_bytes())}
        self.content_id = source.content.id
        source.close()

    @staticmethod
    def cut(data: bytes, step: int = PIECE) -> set[bytes]:
        return {data[at:at + PIECE] for at in range(0, len(data) - PIECE + 1, step)}

    def read_from(self, packets: list[Packet]) -> dict[str, int]:
        """
        In how many packets something of it can be read, wherever in them.
        """
        found = dict.fromkeys(("data", "index", "hashes", "names", "id"), 0)
        for packet in packets:
            payload = packet.payload
            windows = {payload[at:at + PIECE] for at in range(len(payload) - PIECE + 1)}
            for name in ("data", "index", "hashes"):
                found[name] += not windows.isdisjoint(getattr(self, name))
            found["names"] += NAME.encode() in payload
            found["id"] += self.content_id in payload
        return found


def two_fetch(lan: Lan, root: Path, tmp_path: Path, policy: str) -> tuple[list[Node], list[Packet]]:
    """
    One publishes, two fetch at the same time, a fourth machine listens: the nodes, and what went over all interfaces.
    """
    *inside, outside = lan.machines(4)
    sniffers = [machine.sniff() for machine in (*inside, outside)]
    nodes = [machine.node(introduction_interval=1, transfer_rate=600_000, **SETTINGS[policy]) for machine in inside]
    wait_all_local(nodes)
    if policy == "friends":
        for other in nodes[1:]:
            befriend(nodes[0], other)
    outputs = folders(tmp_path, 2)
    content_id = publish(nodes[0], root)
    begun = [fetch(node, content_id, output) for node, output in zip(nodes[1:], outputs, strict=True)]
    for node, each in zip(nodes[1:], begun, strict=True):
        wait_progress(node, each, 0.1)
    nodes[0].rest("PATCH", "/settings", {"transfer_rate": 0})
    for node, each, output in zip(nodes[1:], begun, outputs, strict=True):
        wait_state(node, each, "done")
        assert same(root, output / NAME)
    return nodes, [packet for sniffer in sniffers for packet in sniffer.stop()]


@pytest.mark.parametrize("policy", ["group", "friends"])
def test_who_captures_all_packets_reads_nothing_of_what_is_sent(lan: Lan, tmp_path: Path, policy: str) -> None:
    root = make_folder(tmp_path / "in")
    _, packets = two_fetch(lan, root, tmp_path, policy)
    by_multicast = [packet for packet in packets if packet.destination_port == SESSION_PORT]
    assert len(by_multicast) > 400, "most of it"
    assert sum(packet.size for packet in packets) > 3 * 512_000
    assert Secrets(root).read_from(packets) == {"data": 0, "index": 0, "hashes": 0, "names": 0, "id": 0}


def test_with_the_policy_everyone_it_is_all_there_but_what_is_said_to_one(lan: Lan, tmp_path: Path) -> None:
    root = make_folder(tmp_path / "in")
    _, packets = two_fetch(lan, root, tmp_path, "everyone")
    found = Secrets(root).read_from(packets)
    assert found["data"] > 800
    assert min(found["index"], found["hashes"], found["names"]) >= 1
    assert found["id"] == 0
