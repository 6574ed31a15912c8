"""
One generation at a receiver, with the standard library alone: what ``native/generation.c`` does, in
the same steps, so that both store the same packets in the same slots and recode to the same bytes.

Symbol i, if it came systematic, lies in slot i. Coded packets lie, as they came, in slots that are still free. Which
packets are innovative is found with coefficients alone; the payloads are touched once, when the generation is complete.
"""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .coefficients import DENSE, check_code, expand
from .fallback_arithmetic import check_shapes, combine, inverse, read, table, write
from .fallback_packets import MAX_NUMBER, MAX_SYMBOL_SIZE, check_fit, check_output, find_layout, limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .field import Buffer

FREE, SYSTEMATIC, CODED = range(3)

COLUMNS = 4096
"""Bytes of each symbol that are calculated with at a time: a symbol of one datagram whole, of larger ones a part."""


class Generation:
    """
    One generation at a receiver: the stored packets, their rank, and in the end the symbols.
    """

    def __init__(self, k: int, symbol_size: int, density: int, band: int,
                 room: Buffer | None = None, /) -> None:
        """
        Make one of ``k`` symbols of ``symbol_size`` bytes. ValueError when there is no such code.

        :param room: where the slots are to be, writable; None: in memory of its own.
        """
        check_code(k, density, band)
        self.k, self.size = k, limited(symbol_size, "symbol_size", 1, MAX_SYMBOL_SIZE)
        self.density, self.band = density, band
        self.decoded = False
        self._data = write(bytearray(k * symbol_size) if room is None else room)
        check_shapes((len(self._data), k, symbol_size))
        self.symbols = self._data.toreadonly()
        self._states = bytearray(k)
        self._tags = [0] * k
        self._vectors = [b""] * k
        # The coded vectors without the systematic columns, as a reduced row echelon form, and its pivots.
        self._rows: list[bytes] = []
        self._pivots: list[int] = []
        self._lock = threading.Lock()

    @property
    def rank(self) -> int:
        """
        How many independent packets are stored.
        """
        return self.k - self._states.count(FREE)

    @property
    def memory(self) -> int:
        """
        Bytes in use for data, about.
        """
        return len(self._data) + sum(map(len, self._vectors)) + sum(map(len, self._rows))

    def states(self) -> bytes:
        """
        What is in each slot: 0 nothing, 1 a systematic symbol, 2 a coded packet.
        """
        return bytes(self._states)

    def add(self, identity: int | Buffer, payload: Buffer, tag: int) -> bool:
        """
        Add a packet, known by its number or by its vector. Whether it was innovative.
        """
        limited(tag, "tag", 0, MAX_NUMBER)
        body = read(payload)
        if len(body) != self.size:
            raise ValueError(f"a payload has {self.size} bytes, not {len(body)}")
        if isinstance(identity, int):
            number: int | bytes = limited(identity, "a packet number", 0, MAX_NUMBER)
        else:
            number = bytes(read(identity))
            if len(number) != self.k:
                raise ValueError(f"a vector has {self.k} bytes, not {len(number)}")
        with self._lock:
            return self._add(number, bytes(body), tag)

    def add_batch(self, buffer: Buffer, where: int | Sequence[int], step: int, head: int,  # noqa: PLR0913, PLR0917
                  payload: int, vectors: bool, tag: int) -> int:
        """
        Add packets from a buffer: a count, ``step`` bytes from each to the next, or their offsets.

        How many were innovative.
        """
        limited(tag, "tag", 0, MAX_NUMBER)
        view = read(buffer)
        head_size = self.k if vectors else 4
        layout = find_layout(head, head_size, payload, self.size)
        if isinstance(where, int):
            check_fit(len(view), where, step, layout)
            offsets: Iterable[int] = range(0, where * step, step)
        else:
            offsets = [limited(at, "an offset", 0, len(view)) for at in where]
            for at in offsets:
                if at + layout.extent > len(view):
                    raise ValueError(f"the packet at {at} does not fit in {len(view)} bytes")
        useful = 0
        with self._lock:
            for at in offsets:
                identity = bytes(view[at + head:at + head + head_size])
                useful += self._add(identity if vectors else int.from_bytes(identity, "big"),
                                    bytes(view[at + payload:at + payload + self.size]), tag)
        return useful

    def _add(self, identity: int | bytes, payload: bytes, tag: int) -> bool:
        """
        Add a packet that has been checked.
        """
        if self.rank == self.k:
            return False
        if isinstance(identity, int):
            if identity < self.k:
                return self._add_symbol(identity, payload, tag)
            identity = expand(identity, self.k, self.density, self.band)
        row = bytes([0 if state == SYSTEMATIC else value
                     for value, state in zip(identity, self._open(), strict=True)])
        if not self._reduce(row):
            return False
        slot = self._find_free(self._pivots[-1])
        self._store(slot, payload, CODED, tag)
        self._vectors[slot] = identity
        return True

    def _open(self) -> bytes:
        """
        The states of the columns (a slot with a systematic symbol is its column).
        """
        return bytes(self._states)

    def _add_symbol(self, index: int, payload: bytes, tag: int) -> bool:
        """
        Add a systematic symbol.
        """
        if self._states[index] == SYSTEMATIC or not self._drop_column(index):
            return False
        if self._states[index] == CODED:
            other = self._find_free(index)
            self._store(other, bytes(self._slot(index)), CODED, self._tags[index])
            self._vectors[other], self._vectors[index] = self._vectors[index], b""
        self._store(index, payload, SYSTEMATIC, tag)
        return True

    def _slot(self, slot: int) -> memoryview:
        """
        What is in a slot.
        """
        return self.symbols[slot * self.size:(slot + 1) * self.size]

    def _store(self, slot: int, payload: bytes, state: int, tag: int) -> None:
        """
        Put something in a slot.
        """
        self._data[slot * self.size:(slot + 1) * self.size] = payload
        self._states[slot] = state
        self._tags[slot] = tag

    def _find_free(self, wanted: int) -> int:
        """
        A free slot: this one if it is.
        """
        return wanted if self._states[wanted] == FREE else self._states.index(FREE)

    def _reduce(self, row: bytes) -> bool:
        """
        Make a new row of the reduced form. False when it is not innovative.
        """
        value = int.from_bytes(row, "little")
        for other, pivot in zip(self._rows, self._pivots, strict=True):
            if row[pivot]:
                value ^= int.from_bytes(other.translate(table(row[pivot])), "little")
        if not value:
            return False
        pivot = ((value & -value).bit_length() - 1) // 8
        row = value.to_bytes(self.k, "little")
        row = row.translate(table(inverse(row[pivot])))
        for number, other in enumerate(self._rows):
            if other[pivot]:
                changed = int.from_bytes(other, "little") \
                    ^ int.from_bytes(row.translate(table(other[pivot])), "little")
                self._rows[number] = changed.to_bytes(self.k, "little")
        self._rows.append(row)
        self._pivots.append(pivot)
        return True

    def _drop_column(self, column: int) -> bool:
        """
        Drop the column of a symbol that came. False when the coded packets say the symbol already.
        """
        if column in self._pivots:
            number = self._pivots.index(column)
            row = self._rows[number][:column] + b"\0" + self._rows[number][column + 1:]
            if not any(row):
                return False
            self._rows[number], self._pivots[number] = self._rows[-1], self._pivots[-1]
            del self._rows[-1], self._pivots[-1]
            return self._reduce(row)
        self._rows = [row[:column] + b"\0" + row[column + 1:] for row in self._rows]
        return True

    def _rebuild(self) -> None:
        """
        Find the rank anew from what is stored.
        """
        self._rows, self._pivots = [], []
        states = self._open()
        for slot in self._coded():
            self._reduce(bytes([0 if state == SYSTEMATIC else value
                                for value, state in zip(self._vectors[slot], states, strict=True)]))

    def _coded(self) -> list[int]:
        """
        The slots of coded packets.
        """
        return [slot for slot, state in enumerate(self._states) if state == CODED]

    def _stored(self, slot: int) -> int:
        """
        A slot in which something is stored. ValueError else.
        """
        if self._states[limited(slot, "a slot", 0, self.k - 1)] == FREE:
            raise ValueError(f"nothing is stored in slot {slot}")
        return slot

    def tag(self, slot: int) -> int:
        """
        The tag that a packet came with.
        """
        return self._tags[self._stored(slot)]

    def vector(self, slot: int) -> bytes:
        """
        The coefficients of a packet.
        """
        if self._states[self._stored(slot)] == CODED:
            return self._vectors[slot]
        return bytes(slot) + b"\1" + bytes(self.k - slot - 1)

    def packet(self, slot: int) -> bytes:
        """
        The payload of a packet as it came, also after decoding.
        """
        with self._lock:
            if self.decoded and self._states[self._stored(slot)] == CODED:
                [value] = combine([self._vectors[slot]], self._all(), self.size)
                return value.to_bytes(self.size, "little")
            return bytes(self._slot(self._stored(slot)))

    def _all(self) -> list[bytes]:
        """
        What is in all slots.
        """
        return [bytes(self._slot(slot)) for slot in range(self.k)]

    def remove(self, slots: Iterable[int]) -> None:
        """
        Forget packets.
        """
        wanted = {self._stored(slot) for slot in slots}
        with self._lock:
            if self.decoded:
                self._transform([self._vectors[slot] for slot in self._coded()])
                self.decoded = False
            for slot in wanted:
                self._store(slot, bytes(self.size), FREE, 0)
                self._vectors[slot] = b""
            self._rebuild()

    def _transform(self, matrix: list[bytes]) -> None:
        """
        Put combinations of all slots in place of the coded ones, some columns at a time: what is made on the way takes
        several times their size.
        """
        coded = self._coded()
        for begin in range(0, self.size, COLUMNS):
            end = min(begin + COLUMNS, self.size)
            sources = [bytes(self._data[slot * self.size + begin:slot * self.size + end]) for slot in range(self.k)]
            for slot, value in zip(coded, combine(matrix, sources, end - begin), strict=True):
                self._data[slot * self.size + begin:slot * self.size + end] = value.to_bytes(end - begin, "little")

    def decode(self) -> None:
        """
        Make the missing symbols, in place. ValueError when the generation is not complete.
        """
        with self._lock:
            if self.rank < self.k:
                raise ValueError("the generation is not complete")
            if not self.decoded:
                self._transform(self._solution())
                self.decoded = True
                self._rows, self._pivots = [], []

    def _solution(self) -> list[bytes]:
        """
        The matrix that makes the missing symbols of what is in the slots.
        """
        coded = self._coded()
        # Beside the missing columns of each vector: which combination of slots the row has become.
        lefts = [bytes([self._vectors[slot][other] for other in coded]) for slot in coded]
        rights = [bytes([(1 if other == slot else 0) if self._states[other] == CODED else self._vectors[slot][other]
                         for other in range(self.k)]) for slot in coded]
        rows = [int.from_bytes(left + right, "little") for left, right in zip(lefts, rights, strict=True)]
        size = len(coded) + self.k
        for column in range(len(coded)):
            other = next(number for number in range(column, len(rows)) if rows[number] >> 8 * column & 255)
            rows[column], rows[other] = rows[other], rows[column]
            pivot = rows[column].to_bytes(size, "little")
            pivot = pivot.translate(table(inverse(pivot[column])))
            rows[column] = int.from_bytes(pivot, "little")
            for number, row in enumerate(rows):
                factor = row >> 8 * column & 255
                if factor and number != column:
                    rows[number] = row ^ int.from_bytes(pivot.translate(table(factor)), "little")
        return [row.to_bytes(size, "little")[len(coded):] for row in rows]

    def recode(self, out: Buffer, count: int, step: int, head: int, payload: int, seed: int,  # noqa: PLR0913, PLR0917
               density: int, chosen: Buffer | None) -> None:
        """
        Write new combinations of the packets in the chosen slots (None: all; else a byte per slot).
        """
        limited(density, "density", 1, DENSE)
        if not 0 <= seed < 1 << 64:
            raise ValueError("a seed has 64 bits")
        mask = b"\1" * self.k if chosen is None else bytes(read(chosen))
        if len(mask) != self.k:
            raise ValueError("chosen has one byte for each slot")
        layout, target = find_layout(head, self.k, payload, self.size), write(out)
        check_output(len(target), count, step, layout)
        with self._lock:
            stored = [slot for slot in range(self.k) if self._states[slot] != FREE and mask[slot]]
            if not stored:
                raise ValueError("there is nothing to recode")
            order = stored if self.decoded else sorted(stored, key=lambda slot: self._states[slot] != CODED)
            # What is drawn for each packet in use, laid out as coefficients of the vectors and payloads themselves.
            matrix = [expand((seed + number) % (1 << 64), len(order), density, 0) for number in range(count)]
            if density == DENSE:
                # All of them: so a packet has what came last, the very one that the next relay does not know yet.
                matrix = [factors.replace(b"\0", b"\1") for factors in matrix]
            units = [bytes(slot) + b"\1" + bytes(self.k - slot - 1) for slot in range(self.k)]
            vectors = [self._vectors[slot] if self._states[slot] == CODED and not self.decoded else units[slot]
                       for slot in order]
            heads = combine(matrix, vectors, self.k)
            bodies = combine(matrix, [bytes(self._slot(slot)) for slot in order], self.size)
        for number, (first, second) in enumerate(zip(heads, bodies, strict=True)):
            at = number * step
            target[at + head:at + head + self.k] = first.to_bytes(self.k, "little")
            target[at + payload:at + payload + self.size] = second.to_bytes(self.size, "little")
