"""
Network coding over GF(2^8). Knows no network: bytes in, bytes out.

An ``Encoder`` makes packets of a generation, a ``Recoder`` makes new ones of what a ``Decoder`` has, and a ``Decoder``
that has k independent ones has the generation.
"""
from .decoder import Decoder, Stored
from .encoder import Encoder
from .packets import DENSE, MAX_NUMBER, MAX_SYMBOL_SIZE, MAX_SYMBOLS, NUMBER_SIZE, Code
from .recoder import Recoder

__all__ = ["DENSE", "MAX_NUMBER", "MAX_SYMBOLS", "MAX_SYMBOL_SIZE", "NUMBER_SIZE", "Code", "Decoder", "Encoder",
           "Recoder", "Stored"]
