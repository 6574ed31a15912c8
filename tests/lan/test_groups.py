"""
Groups between machines: an outsider with a packet capture reads nothing, is listed nowhere and gets no answer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tribler_multicast.protocol.limits import MAX_DATAGRAM
from tribler_multicast.protocol.sealing import Seal, group_key
from tribler_multicast.protocol.wire import IPV4, SEALED, channel_of

from .attacker import CONTROL_PORT, PORT, Forger, control_address, key_of, to_group, to_host
from .node import wait_all_local
from .test_announcements import LARGEST, OVERHEAD, received, wait_received

if TYPE_CHECKING:
    from collections.abc import Callable

    from .node import Node
    from .packets import Packet, Sniffer
    from .testbed import Lan, Machine

PASSPHRASE = "correct horse battery staple"
NEW_PASSPHRASE = "a passphrase that two of three know"
TEXT = b"what only members may read, "


def members_of(machines: list[Machine], **settings: object) -> list[Node]:
    """
    Start a node of the group on each machine, with a nickname.
    """
    nodes = [machine.node(group_passphrase=PASSPHRASE, nickname=f"living-room-{i}", wait=False, **settings)
             for i, machine in enumerate(machines)]
    return [node.ready() for node in nodes]


def is_overlay(packet: Packet) -> bool:
    """
    Tell whether a packet is to or from a port of ours.
    """
    ours = range(PORT, CONTROL_PORT + 16)
    return packet.destination_port in ours or packet.source_port in ours


def sent_by(sniffers: list[Sniffer], machines: list[Machine]) -> list[Packet]:
    """
    Get the packets of the overlay that these machines sent, wherever they were seen.
    """
    macs = {machine.interfaces["eth0"].hardware_address for machine in machines}
    return [packet for sniffer in sniffers for packet in sniffer.select(is_overlay) if packet.source_mac in macs]


def test_an_outsider_with_a_packet_capture_learns_no_key_name_or_content(lan: Lan) -> None:
    *inside, outside = lan.machines(4)
    sniffers = [machine.sniff() for machine in (*inside, outside)]
    outsider = outside.node(introduction_interval=1)
    members = members_of(inside, introduction_interval=1)
    wait_all_local(members)
    content = (TEXT * (LARGEST // len(TEXT) + 1))[:LARGEST - OVERHEAD]
    begin = time.time()
    members[0].rest("POST", "/announcements", {"values": [{"hex": content.hex()}]})
    wait_received(members[1:], 1, 12)
    for node in members[1:]:
        [announcement] = received(node)
        assert announcement["values"] == [{"hex": content.hex()}]
        print(f"256 KiB in a group: whole after {announcement['received_at'] - begin:.3f} s at {node}")
    results = members[1].rest("POST", "/ping", {"count": 5})["results"]
    print(results)
    assert {result["mid"]: result["received"] for result in results} == {members[0].mid: 5, members[2].mid: 5}
    found = members[2].rest("POST", "/discover", {"timeout": 1})["peers"]
    assert {peer["mid"] for peer in found} == {members[0].mid, members[1].mid}
    keys = [key_of(node) for node in members]
    members[2].stop()
    packets = sent_by(sniffers, inside)
    captured = b"\n".join(packet.payload for packet in packets)
    assert len(sent_by(sniffers[3:], inside)) > 250, "the outsider hears all multicast"
    assert {packet.payload[:24] for packet in packets} == {SEALED}
    assert max(len(packet.payload) for packet in packets) == MAX_DATAGRAM
    for node, key in zip(members, keys, strict=True):
        for secret in (key[:32], key[32:], bytes.fromhex(node.mid), node.mid.encode()):
            assert secret not in captured
    for secret in (b"living-room", TEXT, TEXT[:8], PASSPHRASE.encode(), group_key(PASSPHRASE)):
        assert secret not in captured
    assert outsider.peers() == {}
    assert not any(outsider.mid in node.peers() for node in members[:2])
    assert received(outsider) == []
    assert outsider.counters("dropped")["sealed"] > 250
    assert outsider.rest("POST", "/discover", {"timeout": 0.5})["peers"] == []


def test_an_outsider_gets_not_one_datagram_back_whatever_it_sends_from_its_own_address(lan: Lan) -> None:
    machines = lan.machines(2)
    plain_machine, attacker = lan.machines(2)
    recorder = machines[1].sniff()
    members = members_of(machines, introduction_interval=1)
    wait_all_local(members)
    plain = plain_machine.node()
    here = (attacker.interfaces["eth0"].ipv4 or "", CONTROL_PORT)
    theirs = [control_address(one, other) for one, other in (members, members[::-1])]
    recorded = {packet.payload for packet in sent_by([recorder], machines)}
    assert len(recorded) > 10
    sniffer = attacker.sniff()
    forger, wrong = Forger(), Seal(group_key("wrong horse battery staple"))
    multicast, unicast = channel_of(IPV4, True), channel_of(IPV4, False)
    said = [forger.introduction(source=here) for _ in range(5)]
    said += [wrong.seal(here, multicast, forger.introduction(source=here)) for _ in range(5)]
    said += [SEALED + bytes(300), SEALED]
    before = [node.counters("dropped") for node in members]
    for data in (*recorded, *said):
        attacker.inject([to_group(data, here)])
    for node, machine, address in zip(members, machines, theirs, strict=True):
        challenge = forger.challenge(key_of(node), here, address)
        for data in (*recorded, challenge, wrong.seal(here, unicast, challenge), SEALED + bytes(700)):
            attacker.inject([to_host(data, here, machine.interfaces["eth0"], address)])

    def from_machine(machine: Machine) -> Callable[[Packet], bool]:
        mac = machine.interfaces["eth0"].hardware_address
        return lambda packet: packet.source_mac == mac and packet.destination == here[0]

    sniffer.wait_for(from_machine(plain_machine))  # A node in no group challenges who introduces itself to it.
    for node, earlier in zip(members, before, strict=True):
        def dropped(reason: str, node: Node = node, earlier: dict[str, int] = earlier) -> int:
            return node.counters("dropped").get(reason, 0) - earlier.get(reason, 0)

        node.wait_for(lambda: dropped("wrong_group") >= 2 * len(recorded), 5, "recordings dropped")
        assert dropped("unsealed") >= 5
    time.sleep(1.5)  # Longer than a challenge is repeated.
    for machine in machines:
        assert sniffer.select(from_machine(machine)) == []
    for node, other in (members, members[::-1]):
        assert list(node.peers()) == [other.mid]
        assert node.is_local(other)
    assert forger.mid not in plain.peers()


def test_a_wrong_passphrase_says_one_line(lan: Lan) -> None:
    one, other = lan.machines(2)
    member = one.node(group_passphrase=PASSPHRASE, introduction_interval=1)
    stranger = other.node(group_passphrase=PASSPHRASE + " ", introduction_interval=1)
    for node, ip in ((member, other.interfaces["eth0"].ipv4), (stranger, one.interfaces["eth0"].ipv4)):
        node.wait_for(lambda node=node: node.status()["group"]["warning"], 10, "the warning")
        node.wait_for(lambda node=node: node.counters("dropped").get("wrong_group", 0) > 8, 10, "more of it")
        lines = [line for line in node.log().splitlines() if "another passphrase" in line]
        assert len(lines) == 1, lines
        assert "compare group_passphrase" in lines[0]
        findings = node.rest("GET", "/doctor")["findings"]
        assert any("another passphrase" in finding["what"] and finding["advice"] for finding in findings)
        print(f"{ip}: {lines[0]}")
    assert member.peers() == stranger.peers() == {}
    stranger.rest("PATCH", "/settings", {"group_passphrase": PASSPHRASE})
    wait_all_local([member, stranger])
    assert member.status()["group"]["warning"] is None


def test_a_member_that_does_not_get_the_new_passphrase_is_out(lan: Lan) -> None:
    first, second, third = members = members_of(lan.machines(3), introduction_interval=1)
    wait_all_local(members)
    begin = time.monotonic()
    for node in (first, second):
        node.rest("PATCH", "/settings", {"group_passphrase": NEW_PASSPHRASE})
    wait_all_local([first, second])
    print(f"two of three under a new passphrase are local again after {time.monotonic() - begin:.2f} s")
    third.wait_not_local(first, second)
    for node in (first, second):
        node.wait_not_local(third)
    first.rest("POST", "/announcements", {"values": ["for the two"]})
    wait_received([second], 1, 12)
    time.sleep(2)
    assert received(third) == []
    assert not third.is_local(first)
    assert not third.is_local(second)
    assert third.status()["group"]["warning"]
    third.rest("PATCH", "/settings", {"group_passphrase": NEW_PASSPHRASE})
    wait_all_local(members)
    for node in members:
        node.rest("PATCH", "/settings", {"policy": "everyone"})
    wait_all_local(members)
    assert [node.status()["policy"] for node in members] == ["everyone"] * 3
