"""
Codes to compare with, where they are installed: raptorq and zfec (PyPI), and Intel's ISA-L through ctypes.

Each makes a call for a task, or says why it cannot: the call does the whole of it, from the bytes of a generation
(k symbols) or from packets to the bytes of the generation, so that what a library prepares counts.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import dataclasses
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tribler_multicast.coding import field

from .common import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[], object]

MAX_ZFEC = 256
"""Blocks of zfec, source and coded ones together."""


@dataclass(frozen=True)
class Task:
    """
    What is done with one generation.
    """

    what: str
    """encode, recode, decode or product"""
    k: int
    size: int
    data: bytes = dataclasses.field(repr=False)
    loss: float = 1.0
    """Which part of the source symbols does not arrive; 1 is "all coded"."""

    @property
    def lost(self) -> int:
        """
        How many coded packets are needed.
        """
        return round(self.k * self.loss)

    @property
    def name(self) -> str:
        """
        What it is called in the table.
        """
        how = "" if self.what != "decode" else ", all coded" if self.loss == 1 else f", {self.loss:.0%} lost"
        return f"{self.what}{how}"

    def symbols(self) -> list[bytes]:
        """
        Cut the generation into its symbols.
        """
        return [self.data[at:at + self.size] for at in range(0, len(self.data), self.size)]

    def check(self, got: object) -> None:
        """
        Make sure that what was decoded is what was sent.

        :raises BenchError: when it is not.
        """
        if got != self.data:
            raise BenchError(f"{self.name}: k={self.k}: not decoded")


class Missing(Exception):
    """
    It is not installed, or cannot do this task: one clear line.
    """


class Raptorq:
    """
    RaptorQ (RFC 6330), in Rust, by PyPI's `raptorq`.
    """

    name = "raptorq"

    def __init__(self) -> None:
        """
        Find it.

        :raises Missing: when it is not there.
        """
        try:
            self.module = import_module("raptorq")
        except ImportError as e:
            raise Missing(f"raptorq is not installed (pip install raptorq): {e}") from e
        self.version = version("raptorq")

    def call(self, task: Task) -> Call:
        """
        Make the call that does the task.

        :raises Missing: when it does not.
        """
        encoder = self.module.Encoder
        if task.what == "encode":
            return lambda: encoder.with_defaults(task.data, task.size).get_encoded_packets(task.k)
        if task.what != "decode":
            raise Missing(f"raptorq does not {task.what}")
        packets = encoder.with_defaults(task.data, task.size).get_encoded_packets(task.lost + 10)
        received = packets[task.lost:]  # what is lost is lost at the front, and what is too much is not looked at
        call = partial(self.decode, received, len(task.data), task.size)
        task.check(call())
        return call

    def decode(self, packets: list[bytes], length: int, size: int) -> object:
        """
        Take packets until the generation is there.
        """
        decoder = self.module.Decoder.with_defaults(length, size)
        for packet in packets:
            if (got := decoder.decode(packet)) is not None:
                return got
        return None


class Zfec:
    """
    Reed-Solomon code over GF(2^8), in C, by PyPI's `zfec`: at most 256 blocks, no recoding.
    """

    name = "zfec"

    def __init__(self) -> None:
        """
        Find it.

        :raises Missing: when it is not there.
        """
        try:
            self.module = import_module("zfec")
        except ImportError as e:
            raise Missing(f"zfec is not installed (pip install zfec): {e}") from e
        self.version = version("zfec")

    def call(self, task: Task) -> Call:
        """
        Make the call that does the task.

        :raises Missing: when it does not.
        """
        k, symbols = task.k, task.symbols()
        if task.what not in ("encode", "decode"):
            raise Missing(f"zfec does not {task.what}")
        if k + task.lost > MAX_ZFEC:
            raise Missing(f"zfec has at most {MAX_ZFEC} blocks, {task.lost} coded ones for {k} are too many")
        coded = list(range(k, k + task.lost))
        encoder = self.module.Encoder(k, MAX_ZFEC)
        if task.what == "encode":
            return lambda: encoder.encode(symbols, coded)
        blocks, numbers = list(symbols), list(range(k))
        blocks[:task.lost], numbers[:task.lost] = encoder.encode(symbols, coded), coded
        decoder = self.module.Decoder(k, MAX_ZFEC)
        task.check(b"".join(decoder.decode(blocks, numbers)))
        return lambda: decoder.decode(blocks, numbers)


class Isal:
    """
    Intel's ISA-L, in assembly, by ctypes: the matrix product alone. Its tables are made beforehand, outside the time.
    """

    name = "ISA-L"
    function = "ec_encode_data"
    """As its users call it: it chooses by what the processor has, AVX-512 first."""

    def __init__(self) -> None:
        """
        Find it.

        :raises Missing: when it is not there.
        """
        found = ctypes.util.find_library("isal")
        if found is None:
            raise Missing("ISA-L is not installed (apt-get install libisal2)")
        self.library: Any = ctypes.CDLL(found)
        self.version = found
        if not hasattr(self.library, self.function):
            raise Missing(f"{found} has no {self.function}")
        self.multiply = getattr(self.library, self.function)

    def call(self, task: Task) -> Call:
        """
        Make the call that does the task.

        :raises Missing: when it does not.
        """
        if task.what != "product":
            raise Missing(f"ISA-L by itself does not {task.what}")
        k, size = task.k, task.size
        matrix = task.data[:k * k].ljust(k * k, b"\x35")
        tables = ctypes.create_string_buffer(32 * k * k)
        self.library.ec_init_tables(k, k, matrix, tables)
        sources = [ctypes.create_string_buffer(symbol, size) for symbol in task.symbols()]
        outputs = [ctypes.create_string_buffer(size) for _ in range(k)]
        pointers = ctypes.c_void_p * k
        arguments = (size, k, k, tables, pointers(*map(ctypes.addressof, sources)),
                     pointers(*map(ctypes.addressof, outputs)))
        keep = (sources, outputs)
        return lambda: (keep, self.multiply(*arguments))[1]


class IsalAvx2(Isal):
    """
    ISA-L made to use AVX2: beside our own AVX2.
    """

    name = "ISA-L with AVX2"
    function = "ec_encode_data_avx2"

    def __init__(self) -> None:
        """
        Find it.

        :raises Missing: when it is not there, or this processor has no AVX2.
        """
        super().__init__()
        if "avx2" not in field.paths():
            raise Missing("ISA-L with AVX2: this processor has none, or there is no native code to tell")


def peers(kinds: tuple[type, ...] = (Raptorq, Zfec, Isal, IsalAvx2)) -> tuple[list[Any], list[str]]:
    """
    Get those that are here, and one line for each that is not.
    """
    found, missing = [], []
    for kind in kinds:
        try:
            found.append(kind())
        except Missing as e:
            missing.append(str(e))
    return found, missing
