"""
Secure random checksums: bad packets are found on arrival, recoded ones too, by a receiver who need not trust anybody
but the source. After C. Gkantsidis and P. Rodriguez, "Cooperative security for network coding file distribution",
INFOCOM 2006.

A hash cannot check a coded packet: it is new each time. What can be checked is linear. The source has for each receiver
FUNCTIONALS secret random vectors r_i, as long as a symbol, and sends the receiver, sealed, the dot products
s_ij = r_i . x_j of a generation's k source symbols. A packet with the coefficients c and the payload y is what it says
when y = sum_j c_j x_j, and then, whoever recoded it and how often,

    r_i . y = sum_j c_j s_ij    for every i.

**Soundness.** A packet is off by the vector d = y - sum_j c_j x_j. Who does not know the r_i chooses d without them;
for d other than 0 each r_i . d is a uniform byte, independent of the others. So a bad packet passes with probability
256^-8 = 2^-64, whatever d is. Of q bad packets any passes with at most q 2^-64, also when their sender sees which ones
failed: until one passes, all did, which tells nothing. At a million bad packets per second that takes 292,000 years on
average. A key holds as long as it and the checksums are secret: both are for one receiver, and who knows them can make
packets that pass for this receiver, for nobody else.

**Batches.** Instead of each of n packets, ROUNDS random combinations of them are checked. Let e_p be the 8 bytes by
which packet p fails (zeros when it passes); the combination with the uniform random bytes z_p, drawn after the packets
came in, fails by sum_p z_p e_p. When some e_p has a byte other than 0, this byte of the sum is uniform, as its z_p is
independent of all the rest: the combination passes with at most 1/256, and ROUNDS = 8 independent ones pass with at
most 256^-8 = 2^-64. A batch with bad packets so passes with at most (n + 1) 2^-64: n 2^-64 that a bad packet passes by
itself, and 2^-64 for the combinations. Good packets always pass, alone and together: all of this is exact.

**On the wire.** Key: 32 bytes. The functionals are the first 8 x symbol size bytes that SHAKE-256 gives for

    "tribler-multicast checksums 1" (29 bytes of ASCII), symbol size in bytes (4, big endian), key (32);

functional i is bytes i x symbol size to (i + 1) x symbol size of them. Every byte is an element of the field, so none
is more likely than another. The checksums of a generation are 8 x k bytes: s_ij is byte i x k + j. One key serves all
generations of a session that have this symbol size.
"""
from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import shake_256
from typing import TYPE_CHECKING, Final

from . import field
from .coefficients import MAX_SYMBOLS, expand

if TYPE_CHECKING:
    from collections.abc import Callable

    from .decoder import Decoder, Stored

    Buffer = bytes | bytearray | memoryview

FUNCTIONALS: Final = 8
"""Independent checks of each packet: a bad one passes all with 2^-64. Fewer could be tried out by a flood."""

ROUNDS: Final = 8
"""Random combinations checked for a batch: as sound as checking each packet."""

KEY_SIZE: Final = 32
"""Bytes of a key: nobody guesses one of 2^256."""

MAX_SYMBOL_SIZE: Final = 65_535
"""Bytes of a symbol: 8 times this is what a key is made into, so a forged size does not take the memory."""

FEW: Final = ROUNDS
"""So many packets or fewer are checked each for itself: combining them would make as many as there are."""

EACH: Final = ("gfni512", "gfni256", "portable")
"""Paths on which checking each packet takes less time than combining them (bench/checksums.py)."""

DOMAIN: Final = b"tribler-multicast checksums 1"


class ChecksumError(ValueError):
    """
    Something has not the length or the place that it must have: one clear line.
    """


def generate_key() -> bytes:
    """
    Make a secret key for one receiver.
    """
    return secrets.token_bytes(KEY_SIZE)


class Functionals:
    """
    The secret vectors of one receiver, 8 x symbol_size bytes. Source and receiver make the same ones from the key.
    """

    def __init__(self, key: Buffer, symbol_size: int) -> None:
        """
        Expand a key for symbols of so many bytes.

        :raises ChecksumError: when the key has not 32 bytes, or the size is not from 1 to MAX_SYMBOL_SIZE.
        """
        if len(key) != KEY_SIZE:
            raise ChecksumError(f"a key has {KEY_SIZE} bytes, this one {len(key)}")
        if not 1 <= symbol_size <= MAX_SYMBOL_SIZE:
            raise ChecksumError(f"a symbol has 1 to {MAX_SYMBOL_SIZE} bytes, not {symbol_size}")
        self.symbol_size: Final = symbol_size
        self.vectors: Final = shake_256(DOMAIN + symbol_size.to_bytes(4, "big") + bytes(key)).digest(
            FUNCTIONALS * symbol_size)

    def __repr__(self) -> str:
        """
        Name it without telling the secret.
        """
        return f"<Functionals for {self.symbol_size} bytes>"

    def checksums(self, symbols: Buffer) -> bytes:
        """
        Make the checksums of a generation: 8 x k bytes for its k source symbols, one after the other in one buffer.

        :raises ChecksumError: when it is not 1 to MAX_SYMBOLS whole symbols.
        """
        size = memoryview(symbols).nbytes
        k, rest = divmod(size, self.symbol_size)
        if rest or not 1 <= k <= MAX_SYMBOLS:
            raise ChecksumError(f"{size} bytes are not 1 to {MAX_SYMBOLS} symbols of {self.symbol_size}")
        return bytes(self.of(Rows(symbols, k, self.symbol_size)))

    def of(self, payloads: Rows) -> bytearray:
        """
        Get the dot products of each functional with each payload: 8 x count bytes.
        """
        return dots(self.vectors, payloads)


@dataclass(frozen=True, slots=True)
class Rows:
    """
    Equal pieces of packets where they lie in one buffer: piece p is `size` bytes from `offset` + p x `stride` on.

    So packets are checked where they were received: `Rows(buffer, n, 1344, stride=1452, offset=108)`.
    """

    buffer: Buffer
    count: int
    size: int
    stride: int = 0
    """Bytes from one piece to the next; 0 is the same as size, one right after the other."""
    offset: int = 0

    def __post_init__(self) -> None:
        """
        Check that all of it is inside the buffer.

        :raises ChecksumError: when it is not.
        """
        if not self.stride:
            object.__setattr__(self, "stride", self.size)
        if self.count < 0 or self.size < 1 or self.offset < 0 or self.stride < self.offset + self.size:
            raise ChecksumError(f"there are no {self.count} pieces of {self.size} bytes, {self.stride} apart, from "
                                f"{self.offset} on")
        if self.count * self.stride > memoryview(self.buffer).nbytes:
            raise ChecksumError(f"{self.count} packets of {self.stride} bytes are not in "
                                f"{memoryview(self.buffer).nbytes} bytes")

    def mixed(self, matrix: Buffer) -> bytearray:
        """
        Make ROUNDS combinations of whole packets, what is between the pieces included.

        :param matrix: ROUNDS x count coefficients.
        """
        out = bytearray(ROUNDS * self.stride)
        whole = memoryview(self.buffer).cast("B")[:self.count * self.stride]
        field.product(out, matrix, ROUNDS, self.count, whole, self.stride)
        return out

    def of(self, mixed: Buffer) -> Rows:
        """
        Get the pieces at the same place in what was mixed.
        """
        return Rows(mixed, ROUNDS, self.size, self.stride, self.offset)


def dots(vectors: Buffer, rows: Rows) -> bytearray:
    """
    Multiply each of FUNCTIONALS vectors with each of the pieces, of the same size: 8 x count bytes.
    """
    out = bytearray(rows.count * FUNCTIONALS)
    if rows.count:
        begin = memoryview(rows.buffer).cast("B")[rows.offset:] if rows.offset else rows.buffer
        field.dots(out, vectors, FUNCTIONALS, begin, rows.count, rows.size, rows.stride)
    return out


class Verifier:
    """
    Checks the packets of one generation for one receiver.
    """

    def __init__(self, functionals: Functionals, checksums: Buffer,
                 random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """
        Take the receiver's functionals and the 8 x k bytes that the source made with them for this generation.

        :param random: makes so many unpredictable bytes: who can foretell them can make bad batches that pass.
        :raises ChecksumError: when it is not 1 to MAX_SYMBOLS checksums.
        """
        self.k, rest = divmod(len(checksums), FUNCTIONALS)
        if rest or not 1 <= self.k <= MAX_SYMBOLS:
            raise ChecksumError(f"{len(checksums)} bytes are not the checksums of 1 to {MAX_SYMBOLS} symbols")
        self.functionals: Final = functionals
        self.symbol_size: Final = functionals.symbol_size
        self._checksums: Final = bytes(checksums)
        self._random: Final = random

    def verify(self, coefficients: Buffer, payload: Buffer) -> bool:
        """
        Tell whether a packet is what its k coefficients say. A bad one passes with 2^-64.

        :raises ChecksumError: when it has not k coefficients or not a payload of one symbol.
        """
        if len(coefficients) != self.k:
            raise ChecksumError(f"a packet has {self.k} coefficients, this one {len(coefficients)}")
        self._check_payload(payload)
        found, due = bytearray(FUNCTIONALS), bytearray(FUNCTIONALS)
        field.dots(found, self.functionals.vectors, FUNCTIONALS, payload, 1, self.symbol_size)
        field.dots(due, self._checksums, FUNCTIONALS, coefficients, 1, self.k)
        return found == due

    def verify_systematic(self, index: int, payload: Buffer) -> bool:
        """
        Tell whether this is the source symbol number `index`. Another one passes with 2^-64.

        :raises ChecksumError: when there is no such symbol, or the payload is not one symbol.
        """
        if not 0 <= index < self.k:
            raise ChecksumError(f"there are {self.k} symbols, none with number {index}")
        self._check_payload(payload)
        found = bytearray(FUNCTIONALS)
        field.dots(found, self.functionals.vectors, FUNCTIONALS, payload, 1, self.symbol_size)
        return found == self._checksums[index::self.k]

    def _check_payload(self, payload: Buffer) -> None:
        if len(payload) != self.symbol_size:
            raise ChecksumError(f"a payload has {self.symbol_size} bytes, this one {len(payload)}")

    def due(self, identity: int | Buffer) -> bytes:
        """
        Get the dot products (8 bytes, one for each functional) that a packet must have: by the number of a source
        symbol, the seed of a combination, or the k coefficients of one.

        :raises ChecksumError: when there are not k coefficients.
        """
        if isinstance(identity, int) and identity < self.k:
            return self._checksums[identity::self.k]
        vector = expand(identity, self.k) if isinstance(identity, int) else identity
        if len(vector) != self.k:
            raise ChecksumError(f"a packet has {self.k} coefficients, this one {len(vector)}")
        due = bytearray(FUNCTIONALS)
        field.dots(due, self._checksums, FUNCTIONALS, vector, 1, self.k)
        return bytes(due)

    def verify_each(self, coefficients: Buffer | Rows, payloads: Buffer | Rows) -> bool:
        """
        Tell whether each of n packets is what it says, each checked for itself. A bad one passes with 2^-64.

        :raises ChecksumError: when the lengths do not fit together.
        """
        return self._same(*self._rows(coefficients, payloads))

    def verify_batch(self, coefficients: Buffer | Rows, payloads: Buffer | Rows) -> bool:
        """
        Tell whether all of n packets are what they say, by random combinations: false as soon as one is bad, but for
        (n + 1) 2^-64. Quicker than one by one where the processor has no GFNI.

        :param coefficients: n x k bytes, or where they lie.
        :param payloads: n x symbol_size bytes, or where they lie; may be the same buffer.
        :raises ChecksumError: when the lengths do not fit together.
        """
        return self._combined(*self._rows(coefficients, payloads))

    def bad_packets(self, coefficients: Buffer | Rows, payloads: Buffer | Rows) -> list[int]:
        """
        Get the numbers, from 0, of those of n packets that are not what they say, lowest first: [] when all are good.

        Where that is quicker (EACH) every one is checked: a bad one is missed with 2^-64. Elsewhere all together are,
        and each one when that fails: at most (n + 1) 2^-64 that any is missed. A good one is never named.

        Halving a batch that failed again and again would cost more: with AVX2 twice as much for one bad packet of 64,
        four times for many, and how many there are is the attacker's choice.

        :raises ChecksumError: when the lengths do not fit together.
        """
        wanted, payloads = self._rows(coefficients, payloads)
        if field.path() not in EACH and self._combined(wanted, payloads):
            return []
        found, due, n = self.functionals.of(payloads), dots(self._checksums, wanted), payloads.count
        if found == due:
            return []
        wrong = 0
        for at in range(0, FUNCTIONALS * n, n):
            wrong |= int.from_bytes(found[at:at + n]) ^ int.from_bytes(due[at:at + n])
        return [number for number, bits in enumerate(wrong.to_bytes(n)) if bits]

    def bad_stored(self, decoder: Decoder) -> list[Stored]:
        """
        Get those packets that a decoder stored which are not what they say, also after decoding: to name who sent them
        (by their tags) and to `remove` them.

        :raises ChecksumError: when the decoder is for another generation size or symbol size.
        """
        if (decoder.code.k, decoder.code.symbol_size) != (self.k, self.symbol_size):
            raise ChecksumError(f"these are checksums of {self.k} symbols of {self.symbol_size} bytes, the decoder has "
                                f"{decoder.code.k} of {decoder.code.symbol_size}")
        stored = decoder.stored()
        vectors = b"".join(decoder.vector(each.slot) for each in stored)
        payloads = b"".join(decoder.packet(each.slot) for each in stored)
        return [stored[number] for number in self.bad_packets(vectors, payloads)]

    def _combined(self, coefficients: Rows, payloads: Rows) -> bool:
        """
        Tell whether ROUNDS random combinations of these packets pass.
        """
        n = payloads.count
        if n <= FEW:
            return self._same(coefficients, payloads)
        matrix = self._random(ROUNDS * n)
        mixed = mixed_coefficients = payloads.mixed(matrix)
        if coefficients.buffer is not payloads.buffer or coefficients.stride != payloads.stride:
            mixed_coefficients = coefficients.mixed(matrix)
        return self._same(coefficients.of(mixed_coefficients), payloads.of(mixed))

    def _same(self, coefficients: Rows, payloads: Rows) -> bool:
        """
        Tell whether all are good, each checked for itself.
        """
        return self.functionals.of(payloads) == dots(self._checksums, coefficients)

    def _rows(self, coefficients: Buffer | Rows, payloads: Buffer | Rows) -> tuple[Rows, Rows]:
        """
        Get both as rows that fit together.

        :raises ChecksumError: when they do not.
        """
        payloads = self._as_rows(payloads, self.symbol_size, "payloads")
        coefficients = self._as_rows(coefficients, self.k, "coefficients")
        if payloads.count != coefficients.count:
            raise ChecksumError(f"{payloads.count} payloads, but {coefficients.count} vectors of coefficients")
        return coefficients, payloads

    @staticmethod
    def _as_rows(given: Buffer | Rows, size: int, what: str) -> Rows:
        if isinstance(given, Rows):
            if given.size != size:
                raise ChecksumError(f"{what} have {size} bytes, not {given.size}")
            return given
        length = memoryview(given).nbytes
        if length % size:
            raise ChecksumError(f"{what} have {size} bytes each, {length} bytes are not a number of them")
        return Rows(given, length // size, size)
