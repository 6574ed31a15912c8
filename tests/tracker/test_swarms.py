"""The tracker's table: who is in it, for how long, and that nothing makes it grow without end."""
from __future__ import annotations

from itertools import count

from tribler_multicast.tracker.limits import (
    LIFETIME,
    MAX_ALL_CLIENTS,
    MAX_CLIENTS,
    MAX_PORTS_PER_ADDRESS,
    MAX_SWARMS,
)
from tribler_multicast.tracker.request import Announce
from tribler_multicast.tracker.swarms import Place, Swarms

FILM = b"f" * 20


def announce(port: int = 6881, infohash: bytes = FILM, left: int | None = 5, event: str = "") -> Announce:
    return Announce(infohash, b"-XX0001-aaaaaaaaaaaa", port, left, event)


def test_clients_come_complete_and_go() -> None:
    table = Swarms()
    table.announce(announce(1), "10.0.0.1", 0.0)
    table.announce(announce(2, left=0), "10.0.0.1", 0.0)
    assert table.of(FILM).count() == (1, 1)
    table.announce(announce(1, left=0, event="completed"), "10.0.0.1", 1.0)
    assert (table.of(FILM).count(), table.of(FILM).completed, table.clients) == ((2, 0), 1, 2)
    table.announce(announce(1, event="stopped"), "10.0.0.1", 2.0)
    table.announce(announce(3, event="stopped"), "10.0.0.1", 2.0)
    assert list(table.of(FILM).clients) == [Place("10.0.0.1", 2)]
    table.announce(announce(2, event="stopped"), "10.0.0.1", 2.0)
    assert (table.swarms, table.clients) == ({}, 0)


def test_who_says_completed_again_and_again_has_completed_once() -> None:
    table = Swarms()
    for _ in range(5):
        table.announce(announce(left=0, event="completed"), "10.0.0.1", 0.0)
    assert table.of(FILM).completed == 1


def test_silence_ends_it() -> None:
    table = Swarms()
    table.announce(announce(1), "10.0.0.1", 0.0)
    table.announce(announce(2), "10.0.0.1", 100.0)
    table.announce(announce(1), "10.0.0.1", 101.0)
    table.expire(100.0 + LIFETIME + 0.5)
    assert list(table.of(FILM).clients) == [Place("10.0.0.1", 1)]
    table.expire(300.0)
    assert (table.swarms, table.clients) == ({}, 0)


def test_one_address_does_not_crowd_others_out_by_ports() -> None:
    table = Swarms()
    table.announce(announce(1), "10.0.0.2", 0.0)
    for port in range(1, 500):
        table.announce(announce(port), "10.0.0.1", 0.0)
    assert len(table.of(FILM).clients) == MAX_PORTS_PER_ADDRESS + 1 == table.clients
    assert Place("10.0.0.2", 1) in table.of(FILM).clients


def test_many_addresses_with_many_ports_crowd_out_their_own() -> None:
    table = Swarms()
    table.announce(announce(1), "10.0.0.2", 0.0)
    for host in range(3, 60):
        for port in range(1, 17):
            table.announce(announce(port), f"10.0.0.{host}", 0.0)
    assert len(table.of(FILM).clients) == MAX_CLIENTS == table.clients
    assert Place("10.0.0.2", 1) in table.of(FILM).clients


def test_invented_torrents_and_clients_have_an_end() -> None:
    table = Swarms()
    for number in range(MAX_SWARMS + 100):
        table.announce(announce(infohash=number.to_bytes(20, "big")), "10.0.0.1", 0.0)
    assert len(table.swarms) == MAX_SWARMS == table.clients
    numbers = count()
    for each in range(200):
        for host in range(MAX_CLIENTS):
            wanted = announce(next(numbers) % 60000 + 1, infohash=each.to_bytes(20, "big"))
            table.announce(wanted, f"10.1.0.{host}", 0.0)
    assert table.clients <= MAX_ALL_CLIENTS
    assert table.clients == sum(len(swarm.clients) for swarm in table.swarms.values())
