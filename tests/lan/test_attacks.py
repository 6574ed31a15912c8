"""
Attacks from the LAN and from beyond it: nothing changes, and each is counted by its reason in /status.
"""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.limits import MAX_DATAGRAM
from tribler_multicast.protocol.wire import IPV4, IPV6, PREFIX, Kind, channel_of

from .attacker import (
    CONTROL_PORT,
    Forger,
    Relay,
    control_address,
    is_from,
    key_of,
    to_group,
    to_host,
)
from .namespaces import why_not
from .node import wait_all_local
from .testbed import Lan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .node import Node
    from .testbed import Machine

VICTIM_GETS = 100
"""Packets that one node may be made to send to a victim in the 3 s of the test, by some 8,000 forged introductions."""

HERE = ("192.168.1.200", CONTROL_PORT)
"""An address on the first LAN that nobody has."""


class Attacked:
    """
    Two nodes that know each other, and a machine in the attacker's hands.
    """

    def __init__(self, lan: Lan) -> None:
        """
        Start the nodes.
        """
        self.lan = lan
        self.machines = lan.machines(2)
        self.attacker = lan.machine()
        self.a, self.b = self.nodes = [machine.node(introduction_interval=1) for machine in self.machines]
        wait_all_local(self.nodes)
        self.source_of_b = (self.machines[1].interfaces["eth0"].ipv4 or "", CONTROL_PORT)
        self.before: dict[str, int] = {}
        self.remember()

    def remember(self) -> None:
        """
        Count from now on.
        """
        self.before = self.a.counters("dropped")

    def counted(self, reason: str) -> int:
        """
        Return how many datagrams A dropped for a reason since `remember`.
        """
        return self.a.counters("dropped").get(reason, 0) - self.before.get(reason, 0)

    def wait_counted(self, reason: str, count: int = 1) -> None:
        """
        Wait until A has dropped so many datagrams for a reason.
        """
        self.a.wait_for(lambda: self.counted(reason) >= count, 5, f"{count} dropped for {reason}")

    def assert_unharmed(self) -> None:
        """
        Check that A lists B as local, and nobody else in any way.
        """
        assert list(self.a.peers()) == [self.b.mid]
        assert self.a.is_local(self.b)
        assert self.b.is_local(self.a)


@pytest.fixture(scope="module")
def nodes_under_attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """
    Yield two nodes for all tests of this file that leave them as they were.
    """
    if reason := why_not():
        pytest.skip(reason)
    lan = Lan(tmp_path_factory.mktemp("attacked"))
    try:
        yield Attacked(lan)
    finally:
        lan.close()


@pytest.fixture
def attacked(nodes_under_attack: Attacked) -> Attacked:
    """
    Return the two nodes, checked to be well, with counters from now on.
    """
    nodes_under_attack.assert_unharmed()
    nodes_under_attack.remember()
    return nodes_under_attack


def recorded(machine: Machine, node: Node, *kinds: Kind, family: int = IPV4) -> bytes:
    """
    Wait for a datagram of a node on the LAN of a machine and return it.
    """
    sniffer, wanted = machine.sniff(), is_from(node, *kinds)
    return sniffer.wait_for(lambda packet: wanted(packet) and (":" in packet.source) == (family == IPV6)).payload


def test_forged_signature(attacked: Attacked) -> None:
    data = bytearray(Forger().introduction())
    data[-1] ^= 1
    attacked.attacker.inject([to_group(bytes(data), HERE)])
    attacked.wait_counted("bad_signature")
    attacked.assert_unharmed()


def test_datagram_altered_on_the_way(attacked: Attacked) -> None:
    data = bytearray(recorded(attacked.attacker, attacked.b, Kind.INTRODUCTION))
    data[113:121] = (1 << 40).to_bytes(8, "big")  # a sequence number that is fresh
    attacked.attacker.inject([to_group(bytes(data), attacked.source_of_b)])
    attacked.wait_counted("bad_signature")
    attacked.assert_unharmed()


@pytest.mark.parametrize("source", ["192.168.1.2", "192.168.1.200"])
def test_replay_on_the_same_channel(attacked: Attacked, source: str) -> None:
    data = recorded(attacked.attacker, attacked.b, Kind.INTRODUCTION)
    attacked.remember()
    attacked.attacker.inject([to_group(data, (source, CONTROL_PORT))] * 5)
    attacked.wait_counted("replay", 5)
    attacked.assert_unharmed()


def test_replay_on_another_channel(attacked: Attacked) -> None:
    data = recorded(attacked.attacker, attacked.b, Kind.INTRODUCTION)
    link_local = attacked.machines[1].interfaces["eth0"].link_local or ""
    target = control_address(attacked.a, attacked.b)
    attacked.attacker.inject([to_group(data, (link_local, CONTROL_PORT)),
                              to_host(data, HERE, attacked.machines[0].interfaces["eth0"], target)])
    attacked.wait_counted("wrong_channel", 2)
    altered = bytearray(data)
    altered[24] = channel_of(IPV6, True)
    altered[113:121] = (1 << 40).to_bytes(8, "big")
    attacked.attacker.inject([to_group(bytes(altered), (link_local, CONTROL_PORT))])
    attacked.wait_counted("bad_signature")
    attacked.assert_unharmed()


def test_introduction_and_goodbye_of_an_old_epoch(lan: Lan) -> None:
    attacked = Attacked(lan)
    introduction = recorded(attacked.attacker, attacked.b, Kind.INTRODUCTION)
    sniffer = attacked.attacker.sniff()
    goodbye_of_b = is_from(attacked.b, Kind.GOODBYE)
    multicast = channel_of(IPV4, True)
    attacked.b.stop()
    goodbye = sniffer.wait_for(lambda packet: goodbye_of_b(packet) and packet.payload[24] == multicast).payload
    attacked.b = attacked.machines[1].node(state=attacked.b.state, introduction_interval=1)
    wait_all_local([attacked.a, attacked.b])
    attacked.remember()
    events = attacked.a.events()
    attacked.attacker.inject([to_group(introduction, attacked.source_of_b), to_group(goodbye, attacked.source_of_b)])
    attacked.wait_counted("old_epoch", 2)
    time.sleep(0.5)
    attacked.assert_unharmed()
    assert not [event for _, event in events.received if event["topic"] == "multicast_peer_gone"]
    events.close()


def test_old_introduction_does_not_bring_back_a_peer_that_said_goodbye(lan: Lan) -> None:
    attacked = Attacked(lan)
    datagrams = [recorded(attacked.attacker, attacked.b, Kind.INTRODUCTION) for _ in range(2)]
    attacked.b.stop()
    attacked.a.wait_not_local(attacked.b)
    attacked.attacker.inject([to_group(data, attacked.source_of_b) for data in datagrams])
    time.sleep(1)
    assert not attacked.a.is_local(attacked.b)


def test_node_behind_a_router(lan: Lan) -> None:
    attacked = Attacked(lan)
    far = lan.machine(bridge=lan.bridge())
    lan.router(*lan.bridges)
    lan.route(far)
    lan.route(attacked.machines[0])
    forger = Forger()
    target = control_address(attacked.a, attacked.b)
    mine = (far.interfaces["eth0"].ipv4 or "", CONTROL_PORT)
    with far.socket() as sender:
        sender.setsockopt(0, 2, 255)  # IPPROTO_IP, IP_TTL
        sender.bind(mine)
        sender.sendto(forger.challenge(key_of(attacked.a), mine, target), target)
    attacked.wait_counted("hop_limit")
    router = bytes.fromhex("0200000001fe")
    attacked.attacker.inject([to_group(forger.introduction(source=mine), mine, mac=router)])
    attacked.wait_counted("off_link")
    attacked.attacker.inject([to_group(forger.introduction(), HERE, hop_limit=64)])
    attacked.wait_counted("hop_limit", 2)
    attacked.assert_unharmed()


def test_real_node_behind_a_router_is_not_met(lan: Lan) -> None:
    near, far = lan.machine(), lan.machine(bridge=lan.bridge())
    lan.router(*lan.bridges)
    lan.route(near)
    lan.route(far)
    a, b = near.node(introduction_interval=1), far.node(introduction_interval=1)
    time.sleep(2)
    assert not a.peers()
    assert not b.peers()


def test_proxy_that_relays_introduction_and_challenge_from_elsewhere(lan: Lan) -> None:
    a_machine, b_machine, proxy = lan.machine(), lan.machine(bridge=lan.bridge()), lan.machine()
    proxy.plug(lan.bridges[1])
    a, b = a_machine.node(introduction_interval=1, ipv6=False), b_machine.node(introduction_interval=1, ipv6=False)
    relay = Relay(proxy)
    try:
        a.wait_for(lambda: relay.relayed >= 6, 20, "six relayed introductions")
        time.sleep(1)
    finally:
        relay.close()
    assert not a.peers()
    assert not b.peers()
    assert a.counters("dropped").get("address_mismatch", 0) + b.counters("dropped").get("address_mismatch", 0) >= 2


def test_proxy_of_a_node_on_the_same_lan_does_not_get_an_address_of_its_own_into_the_list(lan: Lan) -> None:
    attacked = Attacked(lan)
    data = recorded(attacked.attacker, attacked.b, Kind.INTRODUCTION)
    fresh = attacked.machines[0].node(introduction_interval=1)
    attacked.attacker.inject([to_group(data, HERE)])
    wait_all_local([fresh, attacked.b])
    time.sleep(1)
    assert all(address["ip"] != HERE[0] for address in fresh.peer(attacked.b)["addresses"])


def test_victim_named_by_forged_introductions_gets_few_packets(attacked: Attacked) -> None:
    victim = attacked.lan.machine()
    address = (victim.interfaces["eth0"].ipv4 or "", 9999)
    mac = victim.interfaces["eth0"].hardware_address
    sniffer = victim.sniff()
    start = time.monotonic()
    sent = 0
    while time.monotonic() - start < 3:
        frames = [to_group(Forger().introduction(source=address), address, mac) for _ in range(100)]
        sent += attacked.attacker.inject(frames)
    seconds = time.monotonic() - start
    got = [packet for packet in sniffer.stop() if packet.destination_port == 9999 and not packet.sent]
    print(f"{sent} forged introductions in {seconds:.1f} s made two nodes send {len(got)} packets to the victim")
    assert len(got) <= 2 * VICTIM_GETS
    assert len(got) < sent / 20
    attacked.assert_unharmed()


def test_challenges_in_the_name_of_a_victim_are_not_amplified(attacked: Attacked) -> None:
    victim = attacked.lan.machine()
    address = (victim.interfaces["eth0"].ipv4 or "", 9999)
    target, key = control_address(attacked.a, attacked.b), key_of(attacked.a)
    sniffer = victim.sniff()
    interface = attacked.machines[0].interfaces["eth0"]
    frames = [to_host(Forger().challenge(key, address, target), address, interface, target)
              for _ in range(1000)]
    attacked.attacker.inject(frames)
    time.sleep(0.5)
    got = [packet for packet in sniffer.stop() if packet.destination_port == 9999 and not packet.sent]
    print(f"1,000 challenges in a victim's name: it gets {len(got)} packets, "
          f"{sum(packet.size for packet in got) / sum(map(len, frames)):.1%} of the bytes")
    assert sum(packet.size for packet in got) < sum(map(len, frames)) / 5
    attacked.assert_unharmed()


@pytest.mark.parametrize("size", [MAX_DATAGRAM + 1, 1472])
def test_oversize(attacked: Attacked, size: int) -> None:
    data = Forger().introduction().ljust(size, b"\0")
    attacked.attacker.inject([to_group(data, HERE)])
    attacked.wait_counted("oversize")
    attacked.assert_unharmed()


def test_oversize_in_fragments(attacked: Attacked) -> None:
    target = control_address(attacked.a, attacked.b)
    with attacked.attacker.socket() as sender:
        sender.setsockopt(0, 2, 255)  # IPPROTO_IP, IP_TTL
        sender.sendto(Forger().introduction().ljust(60_000, b"\0"), target)
    attacked.wait_counted("oversize")
    attacked.assert_unharmed()


def test_garbage_that_begins_like_a_datagram_of_ours(attacked: Attacked) -> None:
    good = Forger().introduction()
    attacked.attacker.inject([to_group(good[:size], HERE) for size in (1, 22, 23, 24, 25, 41, 105, 121, 184)])
    attacked.attacker.inject([to_group(good[:22] + bytes([kind]) + good[23:], HERE) for kind in range(256)])
    attacked.attacker.inject([to_group(good[:23] + b"\x02" + good[24:], HERE)])
    attacked.wait_counted("malformed", 5)
    attacked.wait_counted("unknown_kind", 200)
    attacked.wait_counted("version")
    attacked.assert_unharmed()


def test_unsolicited_answers_and_probes_of_strangers(attacked: Attacked) -> None:
    target, interface = control_address(attacked.a, attacked.b), attacked.machines[0].interfaces["eth0"]
    forger = Forger()
    body = bytes(300)
    for kind in (Kind.RESPONSE, Kind.CONFIRM, Kind.PROBE, Kind.PROBE_REPLY, Kind.ANSWER, Kind.GOODBYE):
        data = forger.writer.datagram(kind, channel_of(IPV4, False), body)
        attacked.attacker.inject([to_host(data, HERE, interface, target)])
    attacked.wait_counted("unexpected", 2)
    attacked.wait_counted("unknown_peer")
    attacked.assert_unharmed()


def test_goodbye_and_probe_in_the_name_of_a_peer_without_its_secret(attacked: Attacked) -> None:
    target, interface = control_address(attacked.a, attacked.b), attacked.machines[0].interfaces["eth0"]
    introduction = recorded(attacked.attacker, attacked.b, Kind.INTRODUCTION)
    for kind in (Kind.GOODBYE, Kind.PROBE):
        data = bytearray(introduction)
        data[22], data[24], data[113:121] = kind, channel_of(IPV4, False), (1 << 40).to_bytes(8, "big")
        attacked.attacker.inject([to_host(bytes(data), attacked.source_of_b, interface, target)])
    attacked.wait_counted("bad_guard", 2)
    goodbye = bytearray(introduction)
    goodbye[22], goodbye[113:121] = Kind.GOODBYE, (1 << 40).to_bytes(8, "big")
    attacked.attacker.inject([to_group(bytes(goodbye), attacked.source_of_b)])
    attacked.wait_counted("bad_signature")
    attacked.assert_unharmed()


def test_recorded_exchange_does_not_bring_back_a_peer_that_is_gone(lan: Lan) -> None:
    a_machine, b_machine = lan.machines(2)
    sniffers = [b_machine.sniff(), a_machine.sniff()]
    a, b = a_machine.node(ipv6=False), b_machine.node(ipv6=False)
    wait_all_local([a, b])
    target = control_address(a, b)
    b.stop()
    a.wait_not_local(b)
    frames = [to_host(packet.payload, (packet.source, packet.source_port), a_machine.interfaces["eth0"], target)
              for sniffer in sniffers for packet in sniffer.stop()
              if packet.payload.startswith(PREFIX) and packet.destination == target[0]]
    assert len(frames) >= 4
    lan.machine().inject(frames)
    time.sleep(1)
    assert not a.is_local(b)


def test_two_nodes_with_one_key_do_no_harm(lan: Lan) -> None:
    machines = lan.machines(3)
    observer, one = machines[0].node(introduction_interval=1), machines[1].node(introduction_interval=1)
    wait_all_local([observer, one])
    copy = lan.folder / "copy"
    shutil.copytree(one.state, copy, ignore=shutil.ignore_patterns("api.json", "*lock*"))
    machines[2].node(state=copy, introduction_interval=1)
    one.wait_for(lambda: one.counters("dropped").get("own_key_elsewhere"), 5, "own_key_elsewhere counted")
    time.sleep(2)
    assert list(observer.peers()) == [one.mid]
    assert observer.is_local(one)


def test_recording_from_one_lan_counts_for_nothing_on_another(lan: Lan) -> None:
    middle, b_machine, recorder = lan.machines(3)
    middle.plug(lan.bridge())
    recorder.plug(lan.bridges[1])
    a, b = middle.node(introduction_interval=1), b_machine.node(introduction_interval=1)
    wait_all_local([a, b])
    before = a.counters("dropped").get("replay", 0)
    data = recorded(recorder, b, Kind.INTRODUCTION)
    recorder.inject([to_group(data, (recorder.interfaces["eth1"].ipv4 or "", CONTROL_PORT))] * 3, "eth1")
    a.wait_for(lambda: a.counters("dropped").get("replay", 0) >= before + 3, 5, "three replays counted")
    assert {address["ip"] for address in a.peer(b)["addresses"] if address["family"] == "ipv4"} == {
        b_machine.interfaces["eth0"].ipv4}


def test_forgeries_in_the_names_of_two_nodes_do_not_keep_them_apart(lan: Lan) -> None:
    machines = lan.machines(3)
    a, b = nodes = [machine.node(introduction_interval=1, ipv6=False) for machine in machines[:2]]
    wait_all_local(nodes)
    forged = [bytearray(recorded(machines[2], node, Kind.INTRODUCTION)) for node in nodes]
    for data in forged:
        data[105:113] = data[113:121] = (1 << 40).to_bytes(8, "big")  # an epoch and a sequence number yet to come
    sources = [(machine.interfaces["eth0"].ipv4 or "", CONTROL_PORT) for machine in machines[:2]]
    frames = [to_group(bytes(data), source) for data, source in zip(forged, sources, strict=True)]
    b.stop()
    a.wait_not_local(b)
    stop = threading.Event()

    def forge() -> None:
        while not stop.wait(0.05):
            machines[2].inject(frames)

    thread = threading.Thread(target=forge)
    thread.start()
    try:
        time.sleep(0.5)
        again = machines[1].node(state=b.state, introduction_interval=1, ipv6=False)
        wait_all_local([a, again], 5)
    finally:
        stop.set()
        thread.join()
