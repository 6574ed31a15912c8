"""
At which of a neighbour's addresses IPv8 gets to know it.
"""
from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from ipv8.keyvault.crypto import default_eccrypto
from ipv8.messaging.interfaces.udp.endpoint import UDPv4Address, UDPv6Address
from ipv8.peer import Peer
from ipv8.peerdiscovery.network import Network

from tribler_multicast.community.local_peer import LocalPeer
from tribler_multicast.tribler8.neighbours import IPV4_PATIENCE, Neighbours

KEY = default_eccrypto.generate_key("curve25519").pub().key_to_bin()
FOURTH, SIXTH = ("ipv4", "192.168.1.2", 32110), ("ipv6", "fe80::2", 32110)
BOTH = [("ipv8", "192.168.1.2", 8090), ("ipv8", "fd00::2", 8091)]


class Overlay:
    """What is used of Tribler's community, with IPv8's own network."""

    community_id = bytes(20)

    def __init__(self) -> None:
        self.network = Network()

    def get_peers(self) -> list[Peer]:
        return self.network.get_peers_for_service(self.community_id)


def neighbour(addresses: list[tuple[str, str, int]], services: list[tuple[str, str, int]], age: float) -> LocalPeer:
    now = time.time()
    return LocalPeer(KEY, bytes(20), "", frozenset(), addresses, services, "eth0", None, now - age, now, 1)


@pytest.fixture
def neighbours() -> Neighbours:
    interface = SimpleNamespace(networks=lambda family: ["192.168.1.1/24"] if family == 4 else ["fd00::1/64"])
    links = {family: SimpleNamespace(address="here", interface=interface, family=family) for family in (4, 6)}
    community: Any = SimpleNamespace(
        lan=SimpleNamespace(links=links), my_peer=Peer(default_eccrypto.generate_key("curve25519")),
        add_introduction_handler=lambda _: None, add_event_handler=lambda _: None)
    return Neighbours(community)


def test_a_new_one_is_waited_with_until_it_is_verified_over_ipv4_too(neighbours: Neighbours) -> None:
    overlay = Overlay()
    assert neighbours.introduce(neighbour([SIXTH], BOTH, 0.1), overlay) is None
    assert overlay.get_peers() == []
    known = neighbours.introduce(neighbour([FOURTH, SIXTH], BOTH, 0.2), overlay)
    assert known is not None
    assert known.address == UDPv4Address("192.168.1.2", 8090)


def test_one_without_ipv4_is_known_at_once_and_one_whose_ipv4_does_not_work_soon(neighbours: Neighbours) -> None:
    for services, age in ((BOTH[1:], 0.1), (BOTH, IPV4_PATIENCE + 1)):
        known = neighbours.introduce(neighbour([SIXTH], services, age), Overlay())
        assert known is not None
        assert known.address == UDPv6Address("fd00::2", 8091)


def test_when_ipv4_works_after_all_ipv8_prefers_it(neighbours: Neighbours) -> None:
    overlay = Overlay()
    neighbours.introduce(neighbour([SIXTH], BOTH, IPV4_PATIENCE + 1), overlay)
    neighbours.introduce(neighbour([FOURTH, SIXTH], BOTH, IPV4_PATIENCE + 2), overlay)
    [known] = overlay.get_peers()
    assert known.address == UDPv4Address("192.168.1.2", 8090)
