"""
A standalone node whose client has a catalogue: ``python catalogue_node.py CATALOGUE node ...``.

CATALOGUE is a JSON file, a list of results with their id in hex; it is read again for each query, so a test can change
it. A file in it takes as many seconds to hash as `hashing` says for its id. What is to be downloaded, and what was
hashed, is added to CATALOGUE.downloads and .hashed, a line each. All else is the program as it is.
"""
from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose `packaging` is another one

from tribler_multicast import cli  # noqa: E402
from tribler_multicast.client import ClientError, Result  # noqa: E402
from tribler_multicast.standalone import client  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class CatalogueClient(client.StandaloneClient):
    """
    Has what is in the file.
    """

    catalogue = Path(sys.argv[1])

    def capabilities(self) -> frozenset[str]:
        """Offer search."""
        return frozenset({"search"})

    def addresses(self) -> list[tuple[str, str, int]]:
        """Pretend to have BitTorrent, where the catalogue says."""
        return [("libtorrent", ip, port) for ip, port in self.read().get("libtorrent", [])]

    def read(self) -> dict[str, list[list[object]]]:
        """Read the file."""
        found: dict[str, list[list[object]]] = json.loads(self.catalogue.read_text())
        return found

    def all(self) -> list[Result]:
        """Make results of what is in it."""
        return [Result(kind, bytes.fromhex(identifier), name, size)
                for kind, identifier, name, size in self.read()["results"]]

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """Find names that have the text in them."""
        return [result for result in self.all() if result.kind in kinds and text in result.name][:most]

    def streams(self) -> list[Result]:
        """List the streams."""
        return [result for result in self.all() if result.kind == "stream"]

    async def download(self, infohash: bytes, addresses: Sequence[tuple[str, int]]) -> None:
        """Note it."""
        with self.catalogue.with_suffix(".downloads").open("a") as file:
            print(json.dumps([infohash.hex(), list(addresses)]), file=file)

    async def offer_file(self, file_id: bytes, progress: Callable[[float], None]) -> bytes:
        """Take the time that the catalogue says; the infohash is the beginning of the id."""
        if not any(result.kind == "file" and result.id == file_id for result in self.all()):
            raise ClientError(f"nothing like that in {self.catalogue}", 404)
        with self.catalogue.with_suffix(".hashed").open("a") as file:
            print(file_id.hex(), file=file)
        for part in range(10):
            progress(part / 10)
            await asyncio.sleep(self.read().get("hashing", {}).get(file_id.hex(), 0) / 10)  # type: ignore[attr-defined]
        return file_id[:20]


client.StandaloneClient = CatalogueClient  # type: ignore[misc]
if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[2:]))
