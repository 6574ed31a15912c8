"""
Receivers that help each other, on real networks: with loss, without the sender, after they were killed, and one by a
slow link.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.standalone.oneshots import film, leftovers, same
from tribler_multicast.protocol.wire import CODED_PREFIX, Kind
from tribler_multicast.transfer.limits import SEGMENT_SIZE
from tribler_multicast.transfer.session.geometry import USUAL, symbol_size
from tribler_multicast.transfer.session.packets import OVERHEAD

from .test_coded import folders, shot
from .test_coded_kills import received
from .testbed import Families

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standalone.oneshots import OneShot

    from .testbed import Lan, Machine

MANY = 3
SIZE = 6_000_000
UDP = 64
"""Bits of the UDP header, in front of what nft looks at."""
SEQUENCE_END = UDP + 8 * 13
"""Behind the sequence of a datagram with data."""
SYMBOL = symbol_size(USUAL)
SENT_ONCE = sum(-(-min(SEGMENT_SIZE, SIZE - at) // SYMBOL) for at in range(0, SIZE, SEGMENT_SIZE)) * (OVERHEAD + SYMBOL)
"""Bytes of all datagrams with data."""
SILENCE = 50_000
"""Bytes that a sender says in half a second when all was sent once."""


class Group:
    """
    One sends to some; nobody knows another.
    """

    def __init__(self, lan: Lan, folder: Path, mbit: float, receivers: int = MANY, size: int = SIZE) -> None:
        self.folder = folder
        self.sender, *self.machines = lan.machines(receivers + 1, Families.IPV4)
        for each in (self.sender, *self.machines):
            each.shape(mbit)
            each.namespace.ip("link set eth0 gso_max_segs 1")
        self.path, self.outputs = film(folder / "in", size), folders(folder, receivers)
        self.receivers = [self.receive(number) for number in range(receivers)]
        self.sending: OneShot | None = None

    def receive(self, number: int) -> OneShot:
        return shot(self.machines[number], self.folder, "receive", "--any", "--output", str(self.outputs[number]))

    def send(self, *arguments: str) -> OneShot:
        self.sending = shot(self.sender, self.folder, "send", str(self.path), "--receivers", str(len(self.machines)),
                            *arguments)
        return self.sending

    def wait_progress(self, started: OneShot, progress: float) -> dict[str, Any]:
        while True:
            said = started.event("progress")
            if said["progress"] >= progress:
                return said

    def all_done(self, before: int = 0) -> list[dict[str, Any]]:
        """Wait for all but the first ones, who were done before."""
        found = [each.done() for each in self.receivers[before:]]
        for output in self.outputs:
            assert same(self.path, output / self.path.name)
            assert leftovers(output) == []
        return found


def keep_apart(machine: Machine, rest: int) -> None:
    """
    Have a machine lose every fourth datagram that goes to all, another one than others lose, and all HELPs.
    """
    machine.run(["nft", "-f", "-"], stdin=f"""
        table netdev apart {{ chain ingress {{
            type filter hook ingress device "eth0" priority 0; policy accept;
            ip daddr 239.255.128.0/17 ip protocol udp @th,{SEQUENCE_END - 2},2 {rest} drop
            ip protocol udp @th,{UDP},16 {int.from_bytes(CODED_PREFIX[:2], "big")} @th,{UDP + 8 * len(CODED_PREFIX)},8 {
                int(Kind.HELP)} drop
        }}
        }}""")


def let_together(machine: Machine) -> None:
    machine.run(["nft", "delete", "table", "netdev", "apart"])


@pytest.mark.usefixtures("loss")
def test_what_gets_lost_comes_from_the_others(lan: Lan, tmp_path: Path) -> None:
    group = Group(lan, tmp_path, 50)
    for each in group.machines:
        each.lose(10)
    sending = group.send()
    done = group.all_done()
    sent = sending.done()
    assert sent["finished"] == MANY
    given = sum(each["total_up"] for each in done)
    print(f"{sent['uploaded'] / SIZE:.3f} x the file left the sender, {given / SIZE:.3f} x the receivers")
    assert given > 0.1 * SIZE
    assert all(each["total_up"] for each in done)


@pytest.mark.usefixtures("loss")
def test_sender_is_killed_once_the_others_together_have_all_of_it(lan: Lan, tmp_path: Path) -> None:
    group = Group(lan, tmp_path, 30)
    for number, each in enumerate((group.sender, *group.machines)):
        keep_apart(each, number)
    # By less than the links carry, so that nothing gets lost on its way to all.
    sending, sent, before = group.send("--set", "transfer_rate=2000000"), 0, -1
    while sent < SENT_ONCE or sent > before + SILENCE:
        before, sent = sent, sending.event("progress").get("total_up", 0)
    sending.send_signal(signal.SIGKILL)
    sending.wait()
    assert all(each.poll() is None for each in group.receivers)
    for machine in group.machines:
        let_together(machine)
    done = group.all_done()
    given = sorted(each["total_up"] / SIZE for each in done)
    print("given, for each of the file:", *(f"{each:.2f}" for each in given))
    assert sum(given) > 0.7, "each lost a quarter that the others had"
    assert given[1] > 0.1, "nobody has what it lost itself"


def test_two_of_four_are_killed_and_come_back(lan: Lan, tmp_path: Path) -> None:
    group = Group(lan, tmp_path, 20, receivers=4)
    before = [received(each) for each in group.machines]
    group.send()
    for number in (0, 1):
        group.wait_progress(group.receivers[number], 0.2)
        group.receivers[number].send_signal(signal.SIGKILL)
        group.receivers[number].wait()
    for number in (0, 1):
        group.receivers[number] = group.receive(number)
    group.all_done()
    came = [(received(machine) - had) / SIZE for machine, had in zip(group.machines, before, strict=True)]
    print("bytes that came in, for each of the file:", *(f"{each:.2f}" for each in came))


def test_one_behind_a_slow_link_does_not_hold_up_the_others(lan: Lan, tmp_path: Path) -> None:
    group = Group(lan, tmp_path, 50, receivers=4)
    group.machines[-1].shape(5)
    group.send()
    for each in group.receivers[:-1]:
        each.done()
    assert group.receivers[-1].poll() is None
    group.all_done(before=3)
