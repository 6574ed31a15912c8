"""Any tuple becomes bytes and comes back the same; no bytes do harm."""
from __future__ import annotations

import json
import math
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.protocol.limits import MAX_ANNOUNCEMENT, MAX_INTEGER, MAX_VALUE_DEPTH, MAX_VALUES
from tribler_multicast.protocol.values import from_json, pack_values, to_json, unpack_values
from tribler_multicast.protocol.wire import WireError

SCALARS = (st.none() | st.booleans() | st.integers() | st.integers(-(1 << 4096), 1 << 4096) | st.floats()
           | st.binary() | st.text())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=8)
                      | st.lists(inner, max_size=8).map(tuple), max_leaves=40)
TUPLES = st.lists(VALUES, max_size=12).map(tuple)


def same(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Compare by type and value, at all depths; not-a-number is the same as itself, 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or struct.pack("d", one) == struct.pack("d", other)
    return bool(one == other)


@given(TUPLES)
def test_every_tuple_comes_back_the_same(values: tuple[Any, ...]) -> None:
    assert same(unpack_values(pack_values(values)), values)


@pytest.mark.parametrize("bits", [0, 1, 7, 8, 9, 15, 16, 63, 64, 8 * MAX_INTEGER - 1])
def test_integers_come_back_at_the_edges_of_their_bytes(bits: int) -> None:
    for value in ((1 << bits) - 1, 1 - (1 << bits), -(1 << bits)):
        assert unpack_values(pack_values((value,))) == (value,)


def test_the_bytes_are_those_of_the_document() -> None:
    values = (None, False, True, 0, -1, 128, 1.5, b"\x07", "é", (1,), [])
    assert pack_values(values).hex(" ") == (
        "00 01 02 03 00 00 03 00 01 ff 03 00 02 00 80 04 3f f8 00 00 00 00 00 00 05 00 00 00 01 07 "
        "06 00 00 00 02 c3 a9 07 00 00 00 01 03 00 01 01 08 00 00 00 00")
    assert pack_values(()) == b""


@given(st.binary(max_size=200) | st.lists(st.sampled_from(list(bytes(range(10)) + b"\xff")), max_size=60).map(bytes))
@settings(max_examples=500)
def test_bytes_are_refused_or_are_the_only_ones_for_what_they_say(data: bytes) -> None:
    try:
        values = unpack_values(data)
    except WireError:
        return
    assert pack_values(values) == data


@given(TUPLES, st.data())
def test_changed_bytes_are_refused_or_say_something_else(values: tuple[Any, ...], data: st.DataObject) -> None:
    packed = bytearray(pack_values(values))
    if packed:
        place = data.draw(st.integers(0, len(packed) - 1))
        packed[place] ^= data.draw(st.integers(1, 255))
        try:
            read = unpack_values(bytes(packed))
        except WireError:
            return
        assert not same(read, values)
        assert pack_values(read) == packed


@pytest.mark.parametrize("data", [
    "09", "ff", "03", "0300", "030001", "03000100", "030002007f", "030002ff80", "030401" + "01" * 1025, "0400",
    "047ff8000000000001", "05000000", "0500000001", "05ffffffff00", "0600000001ff", "0600000003eda080", "07ffffffff",
    "0700000001", "070000000200", "080000000107", "0304017f" + "00" * 1024])
def test_what_is_not_canonical_is_refused(data: str) -> None:
    with pytest.raises(WireError):
        unpack_values(bytes.fromhex(data))


def nested(depth: int) -> tuple[Any, ...]:
    values: tuple[Any, ...] = ()
    for _ in range(depth - 1):
        values = (values,)
    return values


def test_depth_is_bounded_both_ways() -> None:
    assert unpack_values(pack_values(nested(MAX_VALUE_DEPTH))) == nested(MAX_VALUE_DEPTH)
    with pytest.raises(ValueError, match=f"more than {MAX_VALUE_DEPTH} deep"):
        pack_values(nested(MAX_VALUE_DEPTH + 1))
    for tag in (7, 8):
        with pytest.raises(WireError):
            unpack_values((bytes((tag,)) + b"\0\0\0\1") * 50_000 + b"\0")
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="deep"):
        pack_values(endless)


def test_a_list_that_holds_itself_many_times_is_refused_soon() -> None:
    wide: list[Any] = [None]
    for _ in range(10):
        wide = [wide] * 1000
    with pytest.raises(ValueError, match="more than"):
        pack_values(tuple(wide))


def test_the_number_of_values_is_bounded_both_ways() -> None:
    assert len(unpack_values(pack_values((None,) * MAX_VALUES))) == MAX_VALUES
    with pytest.raises(ValueError, match=f"more than {MAX_VALUES} values"):
        pack_values((None,) * (MAX_VALUES + 1))
    with pytest.raises(WireError):
        unpack_values(bytes(MAX_VALUES + 1))
    with pytest.raises(WireError):
        unpack_values(b"\x08" + MAX_VALUES.to_bytes(4, "big") + bytes(MAX_VALUES))


def test_the_size_is_bounded_both_ways() -> None:
    largest = (bytes(MAX_ANNOUNCEMENT - 5),)
    assert unpack_values(pack_values(largest)) == largest
    for too_large in ((bytes(MAX_ANNOUNCEMENT - 4),), ("é" * (MAX_ANNOUNCEMENT // 2),), ("x" * (1 << 24),),
                      (b"x" * (MAX_ANNOUNCEMENT // 2),) * 2):
        with pytest.raises(ValueError, match=f"more than {MAX_ANNOUNCEMENT} bytes"):
            pack_values(too_large)
    with pytest.raises(WireError):
        unpack_values(bytes(MAX_ANNOUNCEMENT + 1))
    with pytest.raises(ValueError, match="integer"):
        pack_values((1 << (8 * MAX_INTEGER),))


@pytest.mark.parametrize("data", [b"\x05\xff\xff\xff\xff", b"\x06\xff\xff\xff\xff", b"\x07\xff\xff\xff\xff",
                                  b"\x08\0\xff\xff\xff" * 16, b"\x08\0\0\0\0" * 52_000,
                                  b"\x07\0\1\0\0" + b"\1" * 70_000])
def test_hostile_bytes_take_little_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        unpack_values(data)
    except WireError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 6 << 20


@pytest.mark.parametrize("value", [object(), {"a": 1}, {1}, 1j, bytearray(b"x"), memoryview(b"x"), range(3)])
def test_other_types_are_refused_by_name(value: object) -> None:
    with pytest.raises(ValueError, match=f"type {type(value).__name__} cannot be announced"):
        pack_values(((value,),))


@pytest.mark.parametrize("values", [None, "text", b"bytes", {1: 2}, 5])
def test_only_tuples_and_lists_are_announcements(values: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="tuple of values"):
        pack_values(values)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        pack_values(("\ud800",))


def tuples_only(value: Any) -> Any:  # noqa: ANN401
    return tuple(map(tuples_only, value)) if isinstance(value, tuple | list) else value


@given(TUPLES)
def test_values_pass_through_strict_json(values: tuple[Any, ...]) -> None:
    text = json.dumps(to_json(values), allow_nan=False)
    assert same(from_json(json.loads(text)), tuples_only(values))


@pytest.mark.parametrize("obj", [None, "x", 5, {"hex": "00"}, [{"hex": "0"}], [{"hex": 5}], [{"hex": "zz"}], [{}],
                                 [{"hex": "00", "more": 1}], [{"float": "5"}], [[{"a": []}]]])
def test_json_that_is_no_announcement_is_refused_in_one_line(obj: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="announcement") as caught:
        from_json(obj)
    assert "\n" not in str(caught.value)


def test_deep_json_is_refused() -> None:
    obj: list[Any] = []
    for _ in range(500):
        obj = [obj]
    with pytest.raises(ValueError, match="deep"):
        from_json(obj)
