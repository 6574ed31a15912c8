"""
Values of an announcement, byte by byte: a tuple of None, booleans, integers, floats, bytes, text, and tuples or lists
of the same.

    tag  value   followed by
      0  None
      1  False
      2  True
      3  int     length (2), two's complement; as short as can be, 0 has no bytes
      4  float   8 bytes, IEEE 754; not-a-number is 7ff8000000000000
      5  bytes   length (4), bytes
      6  str     length (4), UTF-8
      7  tuple   number of items (4), items
      8  list    number of items (4), items

Integers are big-endian. The outermost tuple has neither tag nor number: its items follow each other until the end, so
the empty tuple is no bytes at all. Equal values are equal bytes, and nothing else is read.
"""
from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from .limits import MAX_ANNOUNCEMENT, MAX_INTEGER, MAX_VALUE_DEPTH, MAX_VALUES
from .wire import Reader, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NONE: Final = 0
FALSE: Final = 1
TRUE: Final = 2
INT: Final = 3
FLOAT: Final = 4
BYTES: Final = 5
STR: Final = 6
TUPLE: Final = 7
LIST: Final = 8

DOUBLE: Final = struct.Struct(">d")
NAN: Final = bytes.fromhex("7ff8000000000000")
SPECIAL_FLOATS: Final = ("nan", "inf", "-inf")


class ValuesWriter:
    """
    Packs values, and counts what it packs.
    """

    def __init__(self) -> None:
        """
        Start with nothing.
        """
        self.packed = bytearray()
        self.count = 0

    def add(self, data: bytes) -> None:
        """
        Add bytes.

        :raises ValueError: when that makes it too large.
        """
        if len(self.packed) + len(data) > MAX_ANNOUNCEMENT:
            raise_too_large()
        self.packed += data

    def items(self, values: Iterable[Any], depth: int) -> None:
        """
        Pack all values of a tuple or list.
        """
        if depth > MAX_VALUE_DEPTH:
            msg = f"values are nested more than {MAX_VALUE_DEPTH} deep"
            raise ValueError(msg)
        for value in values:
            self.count += 1
            if self.count > MAX_VALUES:
                msg = f"more than {MAX_VALUES} values"
                raise ValueError(msg)
            self.item(value, depth)

    def item(self, value: Any, depth: int) -> None:  # noqa: ANN401
        """
        Pack one value.
        """
        if value is None:
            self.add(bytes((NONE,)))
        elif isinstance(value, bool):
            self.add(bytes((TRUE if value else FALSE,)))
        elif isinstance(value, int):
            raw = integer_bytes(value)
            self.add(bytes((INT,)) + len(raw).to_bytes(2, "big") + raw)
        elif isinstance(value, float):
            self.add(bytes((FLOAT,)) + (NAN if value != value else DOUBLE.pack(value)))  # noqa: PLR0124
        elif isinstance(value, bytes | str):
            if len(value) > MAX_ANNOUNCEMENT:
                raise_too_large()
            raw = value if isinstance(value, bytes) else text_bytes(value)
            self.add(bytes((BYTES if isinstance(value, bytes) else STR,)) + len(raw).to_bytes(4, "big"))
            self.add(raw)
        elif isinstance(value, tuple | list):
            if len(value) > MAX_VALUES:
                msg = f"more than {MAX_VALUES} values"
                raise ValueError(msg)
            self.add(bytes((TUPLE if isinstance(value, tuple) else LIST,)) + len(value).to_bytes(4, "big"))
            self.items(value, depth + 1)
        else:
            msg = f"a value of type {type(value).__name__} cannot be announced"
            raise ValueError(msg)


def raise_too_large() -> None:
    """
    Say that it is too large.

    :raises ValueError: always.
    """
    msg = f"values take more than {MAX_ANNOUNCEMENT} bytes"
    raise ValueError(msg)


def integer_bytes(value: int) -> bytes:
    """
    Get the shortest two's complement of an integer.

    :raises ValueError: when it takes more than MAX_INTEGER bytes.
    """
    bits = (value if value >= 0 else ~value).bit_length()
    size = 0 if value == 0 else bits // 8 + 1
    if size > MAX_INTEGER:
        msg = f"an integer takes more than {MAX_INTEGER} bytes"
        raise ValueError(msg)
    return int(value).to_bytes(size, "big", signed=True)


def text_bytes(value: str) -> bytes:
    """
    Get text as UTF-8.

    :raises ValueError: when it has half of a surrogate pair in it.
    """
    try:
        return value.encode()
    except UnicodeEncodeError as e:
        msg = "text with half of a surrogate pair cannot be announced"
        raise ValueError(msg) from e


def pack_values(values: Sequence[Any]) -> bytes:
    """
    Pack the values of an announcement, at most MAX_ANNOUNCEMENT bytes.

    :raises ValueError: with one line that says why, when they cannot be packed.
    """
    if not isinstance(values, tuple | list):
        msg = f"an announcement is a tuple of values, not {type(values).__name__}"
        raise ValueError(msg)  # noqa: TRY004
    writer = ValuesWriter()
    writer.items(values, 1)
    return bytes(writer.packed)


class ValuesReader:
    """
    Unpacks values; every number in the bytes is compared with what is left before it costs anything.
    """

    def __init__(self, data: bytes) -> None:
        """
        Start at the front.
        """
        self.reader = Reader(data)
        self.count = 0

    @property
    def left(self) -> int:
        """
        Count the bytes that are left.
        """
        return len(self.reader.data) - self.reader.position

    def item(self, depth: int) -> Any:  # noqa: ANN401
        """
        Unpack one value.
        """
        self.count += 1
        if self.count > MAX_VALUES:
            msg = f"more than {MAX_VALUES} values"
            raise WireError(msg)
        tag = self.reader.number(1)
        if tag <= TRUE:
            return (None, False, True)[tag]
        if tag == INT:
            return self.integer()
        if tag == FLOAT:
            return self.double()
        if tag == BYTES:
            return self.reader.take(self.reader.number(4))
        if tag == STR:
            return self.text()
        if tag in (TUPLE, LIST):
            return self.sequence(tag, depth + 1)
        msg = f"unknown tag {tag}"
        raise WireError(msg)

    def integer(self) -> int:
        """
        Unpack an integer.
        """
        raw = self.reader.take(self.reader.number(2))
        if len(raw) > MAX_INTEGER:
            msg = f"an integer of {len(raw)} bytes"
            raise WireError(msg)
        value = int.from_bytes(raw, "big", signed=True)
        if integer_bytes(value) != raw:
            msg = "an integer that could be shorter"
            raise WireError(msg)
        return value

    def double(self) -> float:
        """
        Unpack a float.
        """
        raw = self.reader.take(DOUBLE.size)
        value = float(DOUBLE.unpack(raw)[0])
        if value != value and raw != NAN:  # noqa: PLR0124
            msg = "a not-a-number with something in it"
            raise WireError(msg)
        return value

    def text(self) -> str:
        """
        Unpack text.
        """
        try:
            return self.reader.take(self.reader.number(4)).decode()
        except UnicodeDecodeError as e:
            msg = "text that is not UTF-8"
            raise WireError(msg) from e

    def sequence(self, tag: int, depth: int) -> tuple[Any, ...] | list[Any]:
        """
        Unpack a tuple or a list.
        """
        if depth > MAX_VALUE_DEPTH:
            msg = f"values are nested more than {MAX_VALUE_DEPTH} deep"
            raise WireError(msg)
        count = self.reader.number(4)
        if count > self.left:
            msg = "more items than bytes"
            raise WireError(msg)
        items = [self.item(depth) for _ in range(count)]
        return tuple(items) if tag == TUPLE else items


def unpack_values(data: bytes) -> tuple[Any, ...]:
    """
    Unpack what `pack_values` made of a tuple.

    :raises WireError: for any other bytes.
    """
    if len(data) > MAX_ANNOUNCEMENT:
        msg = f"{len(data)} bytes are no announcement"
        raise WireError(msg)
    reader = ValuesReader(data)
    items = []
    while reader.left:
        items.append(reader.item(1))
    return tuple(items)


def to_json(values: tuple[Any, ...] | list[Any]) -> list[Any]:
    """
    Get values in what JSON has: tuples are lists, bytes are `{"hex": "..."}`, and the three floats that JSON lacks
    `{"float": "nan"}`, `"inf"` or `"-inf"`.
    """
    return [value_to_json(value) for value in values]


def value_to_json(value: Any) -> Any:  # noqa: ANN401
    """
    Get one value in what JSON has.
    """
    if isinstance(value, tuple | list):
        return to_json(value)
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float) and str(float(value)) in SPECIAL_FLOATS:
        return {"float": str(float(value))}
    return value


def from_json(obj: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """
    Get the values of an announcement from JSON, the way `to_json` wrote them. All lists become tuples.

    :raises ValueError: with one line that says why, when there are no such values.
    """
    if not isinstance(obj, list):
        msg = "an announcement is a list of values"
        raise ValueError(msg)  # noqa: TRY004
    return tuple(value_from_json(value, 1) for value in obj)


def value_from_json(obj: Any, depth: int) -> Any:  # noqa: ANN401
    """
    Get one value from JSON.
    """
    if depth > MAX_VALUE_DEPTH:
        msg = f"values are nested more than {MAX_VALUE_DEPTH} deep"
        raise ValueError(msg)
    if isinstance(obj, list):
        return tuple(value_from_json(value, depth + 1) for value in obj)
    if not isinstance(obj, dict):
        return obj
    [(kind, text)] = obj.items() if len(obj) == 1 else [("", None)]
    if kind == "hex" and isinstance(text, str):
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    if kind == "float" and text in SPECIAL_FLOATS:
        return float(text)
    msg = 'an object in an announcement is {"hex": "..."} with hexadecimal digits'
    raise ValueError(msg)
