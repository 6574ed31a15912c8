"""Whatever order fragments come in, however often, and whatever is pushed out: right and once, or nothing."""
from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tribler_multicast.protocol import limits
from tribler_multicast.protocol.fragments import FRAGMENT_SIZE, Fragment, Head
from tribler_multicast.protocol.reassembly import Reassembly
from tribler_multicast.protocol.wire import WireError

PACKED = {(key, number): Random(number + key[0]).randbytes((number - 1) * FRAGMENT_SIZE + 5 * key[0])
          for key in (b"\1" * 64, b"\2" * 64) for number in (1, 2, 3)}
PIECES = [(key, Fragment.cut(Head.of(number, packed), packed, index))
          for (key, number), packed in PACKED.items() for index in range(Head.of(number, packed).count)]


@given(st.lists(st.sampled_from(PIECES), max_size=80), st.sets(st.integers(0, 79)))
def test_fragments_in_any_order_and_number(pieces: list[tuple[bytes, Fragment]], given_up: set[int]) -> None:
    reassembly, delivered = Reassembly(), dict[tuple[bytes, int], bytes]()
    gone: set[tuple[bytes, int]] = set()
    for turn, (key, fragment) in enumerate(pieces):
        place = key, fragment.head.number
        assembly = reassembly.open(key, 1, fragment.head, float(turn))
        assert (assembly is None) == (place in delivered or place in gone)
        if assembly is None:
            continue
        packed = reassembly.add(assembly, fragment, float(turn))
        if packed is not None:
            assert packed == PACKED[place]
            delivered[place] = packed
        elif turn in given_up:
            reassembly.drop(assembly)
            gone.add(place)
    held = [assembly for sender in reassembly.senders.values() for assembly in sender.assemblies.values()]
    assert reassembly.cost == sum(limits.ASSEMBLY_COST + sum(map(len, assembly.parts.values())) for assembly in held)
    assert all(set(assembly.missing()) | set(assembly.parts) == set(range(assembly.head.count)) for assembly in held)
    reassembly.clear()
    assert reassembly.cost == 0


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from([b"a", b"b"])), max_size=60))
def test_a_sender_that_contradicts_itself_gets_nothing_wrong_delivered(said: list[tuple[int, int, bytes]]) -> None:
    reassembly = Reassembly()
    for number, index, fill in said:
        head = Head.of(number, b"a" * 3 * FRAGMENT_SIZE)
        assembly = reassembly.open(b"k" * 64, 1, head, 0.0)
        fragment = Fragment(head, index, fill * FRAGMENT_SIZE)
        try:
            packed = None if assembly is None else reassembly.add(assembly, fragment, 0.0)
        except WireError:
            continue
        assert packed in (None, b"a" * 3 * FRAGMENT_SIZE)


def test_what_is_remembered_of_senders_is_bounded() -> None:
    reassembly, head = Reassembly(), Head.of(1, b"x" * 3000)
    for number in range(limits.MAX_PEERS + 100):
        reassembly.open(number.to_bytes(64, "big"), 1, head, 0.0)
    assert len(reassembly.senders) == limits.MAX_PEERS
    assert reassembly.cost == limits.MAX_PEERS * limits.ASSEMBLY_COST <= limits.MAX_ASSEMBLY_BYTES


def test_a_new_epoch_begins_afresh_and_leaves_nothing_behind() -> None:
    reassembly, head = Reassembly(), Head.of(1, b"x" * 3000)
    old = reassembly.open(b"k", 1, head, 0.0)
    assert old is not None
    reassembly.add(old, Fragment(head, 0, b"x" * FRAGMENT_SIZE), 0.0)
    new = reassembly.open(b"k", 2, head, 0.0)
    assert new is not None
    assert not new.parts
    assert not reassembly.is_open(old)
    assert reassembly.cost == limits.ASSEMBLY_COST
