"""
Whom a search asks where there are more neighbours than real Triblers fit on a test machine.
"""
from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from tribler_multicast.settings import Settings
from tribler_multicast.tribler8.errors import MissingSymbolError
from tribler_multicast.tribler8.search import Search


@dataclass(frozen=True)
class Somebody:
    mid: bytes
    friend: str = "none"


class Overlay:
    """What is asked of Tribler's community; its peers are the mids themselves."""

    def __init__(self, peers: list[bytes]) -> None:
        self.peers = peers
        self.forgotten: list[bytes] = []

    def get_peers(self) -> list[bytes]:
        return self.peers

    def get_random_peers(self, sample_size: int | None = None) -> list[bytes]:
        return random.sample(self.peers, min(sample_size or len(self.peers), len(self.peers)))

    def _on_query_timeout(self, request: Any) -> None:  # noqa: ANN401
        self.forgotten.append(request)


class Neighbourhood:
    def __init__(self, peers: list[Somebody]) -> None:
        self.all = peers

    def peers(self) -> list[Somebody]:
        return list(self.all)

    def introduce(self, peer: Somebody, overlay: Overlay) -> bytes | None:
        if peer.mid.startswith(b"deaf"):
            return None
        if peer.mid not in overlay.peers:
            overlay.peers.append(peer.mid)
        return peer.mid


def searching(neighbours: list[Somebody], others: int, local_peers: int = 10) -> Any:  # noqa: ANN401
    options = Settings(command_line={"search_local_peers": str(local_peers)})
    overlay: Any = Overlay([b"other%d" % number for number in range(others)])
    neighbourhood: Any = Neighbourhood(neighbours)
    Search(neighbourhood, options, lambda peer: peer.friend == "mutual").inject(overlay)
    return overlay


def test_of_many_neighbours_ten_are_asked_in_turn_and_the_rest_is_random() -> None:
    neighbours = [Somebody(b"local%d" % number) for number in range(25)]
    overlay = searching(neighbours, others=60)
    asked: Counter[bytes] = Counter()
    for _ in range(50):
        chosen = overlay.get_random_peers(20)
        assert len(set(chosen)) == 20
        assert sum(mid.startswith(b"local") for mid in chosen[:10]) == 10
        asked.update(chosen[:10])
    assert {asked[peer.mid] for peer in neighbours} == {20}


def test_friends_come_first_and_always() -> None:
    neighbours = [Somebody(b"local%d" % number, "mutual" if number in (3, 17) else "received") for number in range(25)]
    overlay = searching(neighbours, others=60)
    for _ in range(20):
        assert set(overlay.get_random_peers(20)[:2]) == {b"local3", b"local17"}


@pytest.mark.parametrize(("local_peers", "size", "others", "expected"), [
    (0, 20, 60, 20), (20, 20, 60, 20), (10, 5, 60, 5), (10, 20, 3, 3 + 10), (10, 20, 0, 10)])
def test_no_more_are_asked_than_tribler_wants_and_none_twice(local_peers: int, size: int, others: int,
                                                             expected: int) -> None:
    overlay = searching([Somebody(b"local%d" % number) for number in range(10)], others, local_peers)
    chosen = overlay.get_random_peers(size)
    assert len(chosen) == len(set(chosen))
    assert len(chosen) >= min(expected, size)


def test_a_neighbour_that_cannot_be_reached_takes_nobodys_place() -> None:
    overlay = searching([Somebody(b"deaf1"), Somebody(b"deaf2"), Somebody(b"local")], others=30, local_peers=1)
    assert overlay.get_random_peers(20)[0] == b"local"


def test_with_no_neighbour_all_is_as_before() -> None:
    overlay = searching([], others=30)
    assert len(overlay.get_random_peers(20)) == 20
    assert len(overlay.get_random_peers()) == 30


def test_a_community_without_these_methods_is_left_alone() -> None:
    with pytest.raises(MissingSymbolError, match=r"has no object\.get_random_peers"):
        neighbourhood: Any = Neighbourhood([])
        Search(neighbourhood, Settings(), lambda _: False).inject(object())
