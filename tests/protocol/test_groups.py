"""Groups: who lacks the key learns nothing, counts for nothing and is never answered."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol import queries
from tribler_multicast.protocol.announcer import pack_values
from tribler_multicast.protocol.events import ForeignSeal, PeerGone
from tribler_multicast.protocol.fragments import FRAGMENT_SIZE, Fragment, Head, pack_ask
from tribler_multicast.protocol.handshake import Proof
from tribler_multicast.protocol.introduction import CAPABILITIES, Introduction, Service
from tribler_multicast.protocol.limits import (
    FOREIGN_SEAL_GAP,
    MAX_ANNOUNCEMENT,
    MAX_CLIENT_ADDRESSES,
    MAX_CODED_PAYLOAD,
    MAX_DATAGRAM,
    MAX_NICKNAME,
    MAX_QUERY,
    MAX_SWARM_ANSWER,
    MAX_SWARMS_ASKED,
    MAX_WEATHER,
)
from tribler_multicast.protocol.pages import PAGE_HEAD, PAGE_ROOM
from tribler_multicast.protocol.pair_seal import SEAL_SIZE
from tribler_multicast.protocol.queries import QUERY_HEAD_SIZE
from tribler_multicast.protocol.sealing import Seal
from tribler_multicast.protocol.swarms import NAME_SIZE, NUMBER_SIZE
from tribler_multicast.protocol.wire import (
    CODED_KINDS,
    MAX_SIGNED,
    NO_GUARD,
    PREFIX,
    Address,
    Kind,
    Writer,
    channel_of,
    is_signed,
)

from .announcing import announce, heard, values_of
from .simulated import SimulatedLan, identity_from

if TYPE_CHECKING:
    from .simulated import Node

RED, BLUE = Seal(b"r" * 32), Seal(b"b" * 32)
SECRET = b"what only the group may read " * 40
MULTICAST4, UNICAST4 = channel_of(4, True), channel_of(4, False)


def all_know_each_other(nodes: list[Node]) -> bool:
    return all(one.knows(other) for one in nodes for other in nodes if one is not other)


def nobody_knows(nodes: list[Node], others: list[Node]) -> bool:
    return not any(one.knows(other) or other.knows(one) for one in nodes for other in others)


def sent_by(lan: SimulatedLan, *nodes: Node, since: float = 0.0) -> list[bytes]:
    return [data for when, sender, *_, data in lan.wire if sender in nodes and when >= since]


def from_attacker(lan: SimulatedLan, data: bytes, source: tuple[str, int],
                  target: tuple[str, int] | None = None) -> None:
    lan.transmit(None, 4, source, target, data)


def test_two_groups_and_nodes_in_none_do_not_see_each_other() -> None:
    lan = SimulatedLan()
    red = [lan.node(seal=RED) for _ in range(3)]
    blue = [lan.node(seal=BLUE) for _ in range(3)]
    plain = [lan.node() for _ in range(3)]
    lan.run(8)
    for group in (red, blue, plain):
        assert all_know_each_other(group)
        announce(group[0], ("for my group", SECRET))
    lan.run(4)
    for group in (red, blue, plain):
        others = [node for node in lan.nodes if node not in group]
        assert nobody_knows(group, others)
        assert [heard(node) for node in group[1:]] == [[("for my group", SECRET)]] * 2
    assert red[0].dropped("wrong_group") and red[0].dropped("unsealed") and not red[0].dropped("sealed")
    assert plain[0].dropped("sealed") and not plain[0].dropped("wrong_group") and not plain[0].dropped("unsealed")


def test_all_that_a_member_sends_is_sealed_and_no_longer_than_a_datagram_may_be() -> None:
    lan = SimulatedLan(loss=0.1)
    nodes = [lan.node(seal=RED) for _ in range(3)]
    lan.run(8)
    values = values_of(MAX_ANNOUNCEMENT)
    announce(nodes[0], values)
    nodes[0].core.solicit(())
    nodes[1].core.pings.start(None, 2, 0.2, lan.now)
    lan.run(20)
    assert heard(nodes[1]) == heard(nodes[2]) == [values]
    nodes[2].leave()
    sent = {kind for node in nodes for kind, count in node.core.counters.sent.items() if count}
    assert sent >= {"introduction", "goodbye", "challenge", "response", "confirm", "probe", "probe_reply", "answer",
                    "solicitation", "fragment", "trailer", "ask", "ping", "pong"}
    assert {data[:24] for data in sent_by(lan, *nodes)} == {PREFIX + b"\x0f\x01"}
    assert max(map(len, sent_by(lan, *nodes))) == MAX_DATAGRAM


def test_an_outsider_with_a_capture_of_everything_finds_no_key_name_or_content() -> None:
    lan = SimulatedLan()
    members = [lan.node(seal=RED) for _ in range(3)]
    lan.run(8)
    announce(members[0], ("a title", SECRET))
    lan.run(4)
    members[1].leave()
    captured = b"\n".join(data for *_, data in lan.wire)
    for node in members:
        secrets = [node.identity.key[:32], node.identity.key[32:], node.identity.mid, node.identity.mid.hex().encode(),
                   f"node {node.number}".encode(), node.epoch.to_bytes(8, "big") + b"\0\0\0"]
        for secret in [*secrets, b"a title", SECRET[:8], RED.group_key, RED.domain[-32:]]:
            assert secret not in captured


@pytest.mark.parametrize("outsider_seal", [None, BLUE], ids=["in no group", "in another group"])
def test_recordings_from_the_outsiders_own_address_are_not_opened_and_not_answered(outsider_seal: Seal | None) -> None:
    lan = SimulatedLan()
    members = [lan.node(seal=RED) for _ in range(2)]
    outsider = lan.node(seal=outsider_seal)
    lan.run(8)
    announce(members[0], (SECRET,))
    lan.run(4)
    captured = [(target, data) for _, sender, _, _, target, data in lan.wire if sender in members]
    members[0].leave()
    lan.run(2)
    begin = lan.now
    outsider.kill()
    for _, data in captured:
        for target in (None, members[1].address()):
            from_attacker(lan, data, outsider.address(), target)
    lan.run(3)
    assert members[1].dropped("wrong_group") >= 2 * len(captured)
    to_outsider = [target for when, sender, _, _, target, _ in lan.wire if sender is members[1] and when >= begin
                   and target is not None]
    assert to_outsider == []
    assert len(members[1].core.peers) == 0


def test_recordings_from_the_address_of_a_member_that_left_list_nobody() -> None:
    lan = SimulatedLan()
    members = [lan.node(seal=RED) for _ in range(3)]
    lan.run(8)
    announce(members[0], (SECRET,))
    lan.run(4)
    captured = [(target, data) for _, sender, _, _, target, data in lan.wire if sender is members[0]]
    members[0].leave()
    lan.run(2)
    before = [heard(node) for node in members[1:]]
    begin = lan.now
    for target, data in captured:
        from_attacker(lan, data, members[0].address(), target)
    lan.run(5)
    assert not any(node.knows(members[0]) for node in members[1:])
    assert [heard(node) for node in members[1:]] == before
    answers = [data for when, sender, _, _, target, data in lan.wire
               if sender in members[1:] and when >= begin and target == members[0].address()]
    assert len(answers) <= 3 * 2 * 2, "challenges to where it was, within their budget"
    assert all(data.startswith(PREFIX + b"\x0f\x01") for data in answers)


def test_a_member_that_repeats_others_outside_or_in_another_group_is_not_believed() -> None:
    lan = SimulatedLan()
    red = [lan.node(seal=RED) for _ in range(2)]
    blue, plain = lan.node(seal=BLUE), lan.node()
    lan.run(8)
    victim = red[0]
    opened = [inner for _, sender, _, source, target, data in lan.wire if sender is victim and target is None
              and (inner := RED.open(source, MULTICAST4, data)) is not None]
    assert opened and all(is_signed(inner, RED.domain) for inner in opened)
    victim.leave()
    for inner in opened:
        assert not is_signed(inner) and not is_signed(inner, BLUE.domain)
        from_attacker(lan, BLUE.seal(victim.address(), MULTICAST4, inner), victim.address())
        from_attacker(lan, inner, victim.address())
    lan.run(3)
    for node in (blue, plain):
        assert node.dropped("bad_signature") >= 1
        assert not node.knows(victim)
        assert not [when for when, sender, _, _, target, _ in lan.wire if sender is node and target == victim.address()]


def test_what_a_node_said_outside_counts_for_nothing_in_a_group() -> None:
    lan = SimulatedLan()
    member, stranger = lan.node(seal=RED), lan.node()
    lan.run(4)
    for data in sent_by(lan, stranger):
        from_attacker(lan, RED.seal(stranger.address(), MULTICAST4, data), stranger.address())
    lan.run(2)
    assert member.dropped("bad_signature") >= 1
    assert not member.knows(stranger)


def test_a_recording_on_one_channel_does_not_open_on_the_other() -> None:
    lan = SimulatedLan()
    one, other = (lan.node(seal=RED) for _ in range(2))
    lan.run(4)
    multicast = [data for *_, target, data in lan.wire if target is None]
    before = other.dropped("wrong_group")
    for data in multicast:
        from_attacker(lan, data, one.address(), other.address())
    lan.run(1)
    assert other.dropped("wrong_group") == before + len(multicast)


def test_a_member_cannot_take_the_channel_of_the_inside_for_another() -> None:
    lan = SimulatedLan()
    one, other = (lan.node(seal=RED) for _ in range(2))
    lan.run(4)
    data = one.core.outbox.writer.datagram(Kind.INTRODUCTION, channel_of(6, True), Introduction(5.0).pack())
    from_attacker(lan, RED.seal(one.address(), MULTICAST4, data), one.address())
    nested = RED.seal(one.address(), MULTICAST4, data)
    from_attacker(lan, RED.seal(one.address(), MULTICAST4, nested), one.address())
    lan.run(1)
    assert other.dropped("wrong_channel") == 1
    assert other.dropped("sealed") == 1


def test_malformed_sealed_datagrams_are_counted_and_change_nothing() -> None:
    lan = SimulatedLan()
    one, other = (lan.node(seal=RED) for _ in range(2))
    lan.run(4)
    good = sent_by(lan, one)[0]
    before = dict(other.core.counters.dropped)
    for size in range(len(good)):
        from_attacker(lan, good[:size], one.address())
    from_attacker(lan, good + bytes(MAX_DATAGRAM), one.address())
    from_attacker(lan, good[:23] + b"\x02" + good[24:], one.address())
    from_attacker(lan, good[:22] + b"\x63" + good[23:], one.address())
    lan.transmit(None, 4, one.address(), None, good, hop_limit=2)
    from_attacker(lan, good, ("192.0.2.1", 32110))
    from_attacker(lan, RED.seal(one.address(), MULTICAST4, PREFIX + bytes(400)), one.address())
    lan.run(1)
    after = {reason: other.dropped(reason) - before.get(reason, 0) for reason in other.core.counters.dropped}
    assert {reason: count for reason, count in after.items() if count} == {
        "not_ours": 22, "malformed": 2, "wrong_group": len(good) - 24, "oversize": 1, "version": 2, "unsealed": 1,
        "hop_limit": 1, "off_link": 1}
    assert other.knows(one)
    assert one.knows(other)


def test_a_new_passphrase_on_all_but_one_leaves_that_one_out() -> None:
    lan = SimulatedLan()
    first, second, third = nodes = [lan.node(seal=RED) for _ in range(3)]
    lan.run(8)
    epochs = [node.core.epoch for node in nodes]
    announce(first, ("before",))
    lan.run(3)
    begin = lan.now
    first.rekey(BLUE)
    lan.run(1)
    second.rekey(BLUE)
    lan.run(8)
    assert first.knows(second) and second.knows(first)
    assert nobody_knows([third], [first, second])
    assert third.gone(first)[-1][1] == third.gone(second)[-1][1] == "goodbye"
    assert second.gone(third)[-1][1] == "group"
    announce(first, ("after",))
    lan.run(4)
    assert heard(second, begin) == [("after",)]
    assert heard(third, begin) == []
    assert [node.core.epoch for node in nodes] == epochs
    numbers = [RED.open(source, MULTICAST4, data) or BLUE.open(source, MULTICAST4, data)
               for _, sender, _, source, target, data in lan.wire if sender is first and target is None]
    sequences = [int.from_bytes(inner[113:121], "big") for inner in numbers if inner is not None]
    assert sequences == sorted(set(sequences)), "the sequence goes on: no number is signed twice"


def test_going_out_of_a_group_and_back_in() -> None:
    lan = SimulatedLan()
    one, other = (lan.node(seal=RED) for _ in range(2))
    plain = lan.node()
    lan.run(6)
    for seal, near, far in ((None, plain, other), (RED, other, plain), (None, plain, other)):
        one.rekey(seal)
        lan.run(6)
        assert one.knows(near) and near.knows(one)
        assert nobody_knows([one], [far])


def test_recordings_of_before_count_for_nothing_after_the_group_came_back() -> None:
    lan = SimulatedLan()
    one, other = (lan.node(seal=RED) for _ in range(2))
    lan.run(6)
    captured = [(target, data) for _, sender, _, _, target, data in lan.wire if sender is one]
    one.leave()
    other.rekey(BLUE)
    other.rekey(RED)
    lan.run(1)
    for target, data in captured:
        from_attacker(lan, data, one.address(), target)
    lan.run(5)
    assert not other.knows(one)


def test_a_confirmation_held_back_while_the_group_changed_counts_no_more() -> None:
    lan = SimulatedLan()
    _one, _other = nodes = [lan.node(seal=RED) for _ in range(2)]
    held: list[tuple[Node, Node, bytes]] = []

    def hold_back(node: Node, data: bytes) -> bool:
        sender = nodes[1 - nodes.index(node)]
        inner = RED.open(sender.address(), UNICAST4, data)
        if inner is not None and inner[22] == Kind.CONFIRM:
            held.append((sender, node, data))
        return inner is None or inner[22] != Kind.CONFIRM

    lan.filter = hold_back
    lan.run(1)
    sender, node, data = held[-1]
    lan.filter = lambda _node, _data: True
    sender.leave()
    node.rekey(BLUE)
    node.rekey(RED)
    before = node.dropped("unexpected")
    from_attacker(lan, data, sender.address(), node.address())
    lan.run(0.1)
    assert node.dropped("unexpected") == before + 1
    assert not node.knows(sender)


def test_a_node_that_is_stopped_changes_its_group_in_silence() -> None:
    lan = SimulatedLan()
    node = lan.node()
    lan.run(1)
    node.core.stop()
    node.flush()
    lan.wire.clear()
    node.rekey(RED)
    lan.run(10)
    assert lan.wire == []
    assert [event.reason for _, event in node.history if isinstance(event, PeerGone)] == []


def test_another_passphrase_is_told_once_and_seldom() -> None:
    lan = SimulatedLan()
    one, other = lan.node(seal=RED), lan.node(seal=BLUE)
    lan.run(FOREIGN_SEAL_GAP * 0.9)
    assert [event for _, event in one.history if isinstance(event, ForeignSeal)] == [ForeignSeal(other.address())]
    foreign = one.core.group.foreign
    assert foreign is not None and foreign.source == other.address() and lan.now - foreign.time < 10
    lan.run(FOREIGN_SEAL_GAP)
    assert len([event for _, event in one.history if isinstance(event, ForeignSeal)]) == 2
    other.rekey(RED)
    lan.run(6)
    assert one.core.group.foreign is None, "what it said of another passphrase is no longer so"
    assert ForeignSeal(other.address()) not in [event for _, event in other.history], "its own goodbye, looped back"
    assert other.dropped("own") > 10
    assert one.knows(other)


def test_members_and_plain_nodes_alone_hear_no_other_passphrase() -> None:
    lan = SimulatedLan()
    members, plain = [lan.node(seal=RED) for _ in range(3)], lan.node()
    lan.run(30)
    assert all(node.core.group.foreign is None for node in [*members, plain])


def largest_payloads() -> dict[Kind, bytes]:
    """Make the largest payload of each kind that an honest node sends."""
    address = Address(6, "fe80::ffff:ffff:ffff:ffff", 65535)
    introduction = Introduction(60.0, frozenset(CAPABILITIES), "n" * MAX_NICKNAME,
                                tuple((Service.IPV8, address) for _ in range(MAX_CLIENT_ADDRESSES)))
    proof = Proof(bytes(64), bytes(16), 2 ** 64 - 1, address, address, introduction).pack()
    head = Head.of(2 ** 64 - 1, pack_values(values_of(MAX_ANNOUNCEMENT)))
    placed = address.pack() + introduction.pack()
    return {Kind.FILE_REQUEST: bytes(41 + SEAL_SIZE), Kind.FILE_ANSWER: bytes(29 + SEAL_SIZE),
            Kind.WEATHER: bytes(MAX_WEATHER),
            Kind.WHO_HAS: bytes(NUMBER_SIZE + NAME_SIZE * MAX_SWARMS_ASKED + SEAL_SIZE),
            Kind.HAS: bytes(MAX_SWARM_ANSWER + SEAL_SIZE),
            Kind.QUERY: bytes(QUERY_HEAD_SIZE + MAX_QUERY + SEAL_SIZE),
            Kind.RESULTS: bytes(queries.PAGE_HEAD_SIZE + queries.PAGE_ROOM + SEAL_SIZE),
            Kind.INTRODUCTION: placed, Kind.SOLICITATION: address.pack() + b"\xff\xff" + introduction.pack(),
            Kind.FRIEND: bytes(18), Kind.PULL: bytes(136), Kind.TRAIN: bytes(100), Kind.TRAIN_END: bytes(100),
            Kind.TRAIN_REPORT: bytes(100), Kind.PAGE: bytes(PAGE_HEAD + PAGE_ROOM),
            Kind.ANSWER: introduction.pack(), Kind.RESPONSE: proof, Kind.CONFIRM: proof,
            Kind.FRAGMENT: Fragment(head, 0, bytes(FRAGMENT_SIZE)).pack(), Kind.TRAILER: head.pack(),
            Kind.ASK: pack_ask(head, range(head.count)), Kind.PING: bytes(28), Kind.PONG: bytes(12),
            Kind.PROBE: bytes(8), Kind.PROBE_REPLY: bytes(8), Kind.GOODBYE: b"", Kind.CHALLENGE: bytes(415),
            **dict.fromkeys(CODED_KINDS, bytes(MAX_CODED_PAYLOAD + SEAL_SIZE))}


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.SEALED}))
def test_the_largest_datagram_of_each_kind_can_be_sealed(kind: Kind) -> None:
    writer = Writer(identity_from("large"), 1)
    data = writer.datagram(kind, UNICAST4, largest_payloads()[kind], NO_GUARD)
    assert len(data) <= MAX_SIGNED
    sealed = RED.seal(("10.0.0.1", 32110), UNICAST4, data)
    assert len(sealed) <= MAX_DATAGRAM
    assert RED.open(("10.0.0.1", 32110), UNICAST4, sealed) == data
