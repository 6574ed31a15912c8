"""
Something offered, and stores that it is received to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.identity import Identity
from tribler_multicast.transfer.content.manifest import Manifest
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.store.opening import receive_to
from tribler_multicast.transfer.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

UNIT = 1344
PUBLISHER = Identity(default_eccrypto.generate_key("curve25519"))


class Offer:
    """
    A source and its manifest.
    """

    def __init__(self, path: Path) -> None:
        self.source = Source.publish(path)
        self.manifest = Manifest.sign(self.source.content, PUBLISHER, 1)
        self.segments = self.source.layout.segments

    def open(self, output: Path, *, unit: int = UNIT, records: Path | None = None) -> Store:
        """
        Open a store that is not done yet.
        """
        store = receive_to(self.manifest, output, unit=unit, records=records)
        assert isinstance(store, Store)
        return store

    def prove(self, store: Store, segment: int) -> None:
        """
        Give a store what it needs to check a segment.
        """
        wanted = store.tree.wanted(segment)
        if wanted is not None:
            assert store.add_proof(segment, 0, self.source.tree.proof(segment, 0, wanted) or b"")

    def units(self, store: Store, segment: int) -> list[tuple[int, bytes]]:
        """
        Get a segment as what `Store.write` takes.
        """
        data = self.source.read(segment)
        return [(at, data[at:at + store.unit]) for at in range(0, len(data), store.unit)]

    def give(self, store: Store, segment: int) -> None:
        """
        Have a segment received, one way or the other.
        """
        self.prove(store, segment)
        if segment % 2:
            assert store.write_segment(segment, self.source.read(segment))
            return
        for at, unit in self.units(store, segment):
            store.write(segment, at, unit)
        assert store.verify(segment)

    def give_all(self, store: Store, random: Random | None = None) -> None:
        """
        Have all that is missing received, in order, or in any.
        """
        missing = [segment for segment in range(self.segments) if not store.has(segment)]
        if random is not None:
            random.shuffle(missing)
        for segment in missing:
            self.give(store, segment)

    def claims(self, store: Store) -> list[int]:
        """
        Get the segments that a store says to have, checked again or not, and that it has something else than was
        offered is a failure. Units that it says to have, too.
        """
        claimed = []
        for segment in range(self.segments):
            data = self.source.read(segment)
            if store.has(segment) or store.progress.is_unchecked(segment):
                assert store.areas.read(segment) == data, f"segment {segment} is not what is claimed"
                claimed.append(segment)
            else:
                units = store.units(segment)
                for number in range(store.progress.units_of(segment)):
                    if units >> number & 1:
                        at = number * store.unit
                        assert store.read_units(segment, at, store.unit) == data[at:at + store.unit], (segment, number)
        return claimed


def recheck_all(store: Store) -> None:
    """
    Look at everything that is to be looked at.
    """
    while store.unchecked:
        store.recheck()
