"""What clients ask of the tracker: real queries are read, and anything else is one line."""
from __future__ import annotations

import contextlib
import os
from urllib.parse import quote_from_bytes

import pytest

from tribler_multicast.tracker.limits import MAX_ASKED, MAX_SCRAPED
from tribler_multicast.tracker.request import RequestError, read_announce, read_scrape

INFOHASH = bytes(range(120, 140))
GOOD = f"info_hash={quote_from_bytes(INFOHASH)}&peer_id=-TR3000-abcdefghijkl&port=51413"


@pytest.mark.parametrize("query", [
    # aria2 1.36, Transmission 3.00, libtorrent 2.0
    GOOD + "&uploaded=0&downloaded=0&left=5100000&compact=1&key=A2-1&numwant=50&no_peer_id=1&event=started",
    GOOD + "&uploaded=0&downloaded=0&left=5100000&numwant=80&key=3f&compact=1&supportcrypto=1&event=started",
    GOOD + "&uploaded=0&downloaded=0&left=5100000&corrupt=0&key=1&event=started&numwant=200&compact=1&redundant=0"])
def test_announces_of_stock_clients_are_read(query: str) -> None:
    wanted = read_announce(query)
    assert (wanted.infohash, wanted.port, wanted.left, wanted.event, wanted.compact) == (
        INFOHASH, 51413, 5_100_000, "started", True)
    assert not wanted.is_seed


@pytest.mark.parametrize("query", [
    "", "a", "&&==&", GOOD.replace("51413", "0"), GOOD.replace("51413", "65536"), GOOD.replace("51413", "-1"),
    GOOD.replace("51413", "1e3"), GOOD.replace("port", "sport"), GOOD.replace("abc", ""), GOOD + "&event=resumed",
    GOOD.replace("51413", "9" * 5000), GOOD.replace("info_hash=", "info_hash=%"), GOOD.replace("info_hash", "x")])
def test_what_is_no_announce_is_refused_in_one_line(query: str) -> None:
    with pytest.raises(RequestError, match=r"^[^\n]{5,100}$"):
        read_announce(query)


def test_no_client_names_another_address_and_none_asks_for_more_than_there_is_room_for() -> None:
    wanted = read_announce(GOOD + "&ip=8.8.8.8&ipv4=8.8.8.8&ipv6=::1&numwant=100000&left=-1")
    assert "8.8.8.8" not in repr(wanted)
    assert (wanted.asked, wanted.left) == (MAX_ASKED, None)


def test_a_scrape_names_its_torrents_and_not_too_many() -> None:
    one = f"info_hash={quote_from_bytes(INFOHASH)}"
    assert read_scrape(one) == [INFOHASH]
    assert len(read_scrape("&".join([one] * MAX_SCRAPED))) == MAX_SCRAPED
    for query in ("", "info_hash=short", "&".join([one] * (MAX_SCRAPED + 1))):
        with pytest.raises(RequestError):
            read_scrape(query)


def test_no_query_raises_anything_else() -> None:
    for _ in range(3000):
        noise = os.urandom(70).decode("latin-1")
        query = noise[:60] + GOOD[:os.urandom(1)[0] % len(GOOD)] + noise[60:]
        for read in (read_announce, read_scrape):
            with contextlib.suppress(RequestError):
                read(query.encode("ascii", "ignore").decode())
