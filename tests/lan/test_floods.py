"""
Floods of 20,000 packets/s from the LAN: nothing changes, memory stays, and a newcomer still gets in.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.protocol.wire import IPV4, IPV6, SEALED, Kind

from .attacker import AFTER_GUARD, CONTROL_PORT, GROUPS, PORT, SIGNATURE, Forger, control_address, key_of
from .node import wait_all_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .node import Node
    from .testbed import Lan

GROWTH = 48 << 20
"""Bytes by which a node may grow under a flood; more would mean that something is kept per packet."""

NEWCOMER = 3.0
"""Seconds from a newcomer's ready line to its being verified at the running nodes, under a flood (asked for)."""

NOISE = 2.0
"""By how much that may be exceeded in the short runs, where other work on the machine weighs more."""

TO_GROUP = ("--destination", GROUPS[IPV4], "--port", str(PORT))


def random_bytes(folder: Path, nodes: list[Node]) -> list[str]:
    """
    Nothing that makes sense.
    """
    return [*TO_GROUP]


def strangers(folder: Path, nodes: list[Node]) -> list[str]:
    """
    Well-formed introductions, each with another key and with a signature that does not fit.
    """
    data = Forger().introduction()
    return [*TO_GROUP, *payloads(folder, [data]), "--scramble", str(len(data) - AFTER_GUARD)]


def returning_strangers(folder: Path, nodes: list[Node]) -> list[str]:
    """
    The same from 20,000 keys and addresses that come again and again, each time with another signature.
    """
    data = Forger().introduction()
    made = [data[:AFTER_GUARD] + random.randbytes(64) + data[AFTER_GUARD + 64:] for _ in range(20_000)]
    return [*TO_GROUP, *payloads(folder, made), "--scramble", str(SIGNATURE)]


def stamped_strangers(folder: Path, nodes: list[Node]) -> list[str]:
    """
    Introductions for which the work of a stamp was done, from 2,000 keys, with signatures that do not fit.
    """
    made = [Forger().introduction() for _ in range(2000)]
    return [*TO_GROUP, *payloads(folder, made), "--scramble", str(SIGNATURE)]


def strangers_ipv6(folder: Path, nodes: list[Node]) -> list[str]:
    """
    The same by IPv6, where there are more addresses to invent than a kernel has room for.
    """
    data = Forger().introduction(IPV6)
    made = [data[:AFTER_GUARD] + random.randbytes(len(data) - AFTER_GUARD) for _ in range(10_000)]
    return ["--destination", GROUPS[IPV6], "--port", str(PORT), "--sources", "fe80::66:0/112", *payloads(folder, made)]


def one_peer(folder: Path, nodes: list[Node]) -> list[str]:
    """
    Introductions in the name of a verified peer, from its address, with fresh sequence numbers.
    """
    data, key = Forger(epoch=1 << 62).introduction(), key_of(nodes[1])
    made = [data[:AFTER_GUARD] + key + data[AFTER_GUARD + 64:]]
    address, port = control_address(nodes[1], nodes[0])
    return [*TO_GROUP, *payloads(folder, made), "--scramble", str(SIGNATURE), "--sources", address,
            "--source-port", str(port)]


def challenges(folder: Path, nodes: list[Node]) -> list[str]:
    """
    Challenges with signatures that do not fit, to the first node's own port.
    """
    address, port = control_address(nodes[0], nodes[1])
    data = Forger().challenge(key_of(nodes[0]), ("192.168.1.200", CONTROL_PORT), (address, port))
    assert data[22] == Kind.CHALLENGE
    mac = nodes[0].machine.interfaces["eth0"].mac
    return ["--destination", address, "--port", str(port), "--mac", mac, "--hop-limit", "255",
            *payloads(folder, [data]), "--scramble", str(len(data) - AFTER_GUARD)]


def sealed_garbage(folder: Path, nodes: list[Node]) -> list[str]:
    """
    What looks sealed, and opens in no group: each is tried, by nodes that are in one.
    """
    return [*TO_GROUP, *payloads(folder, [SEALED + random.randbytes(310) for _ in range(4000)]), "--scramble", "64"]


def payloads(folder: Path, made: list[bytes]) -> list[str]:
    """
    Write payloads for the flooder; return its arguments.
    """
    path = folder / "payloads"
    path.write_text("\n".join(data.hex() for data in made))
    return ["--payloads", str(path)]


@pytest.mark.parametrize("seconds", [pytest.param(4, id="short"), pytest.param(60, id="long", marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", [random_bytes, strangers, returning_strangers, stamped_strangers, strangers_ipv6,
                                  one_peer, challenges, sealed_garbage])
def test_flood_changes_nothing_and_a_newcomer_is_still_verified(
        lan: Lan, kind: Callable[[Path, list[Node]], list[str]], seconds: float) -> None:
    machines = lan.machines(3)
    attacker = lan.machine()
    # Only the flooded family, or the newcomer would come in by the other.
    family: dict[str, Any] = {"ipv4": kind is not strangers_ipv6, "ipv6": kind is strangers_ipv6}
    if kind is sealed_garbage:
        family["group_passphrase"] = "correct horse battery staple"
    nodes = [machine.node(**family) for machine in machines[:2]]
    wait_all_local(nodes)
    arguments = kind(lan.folder, nodes)
    events = [node.events() for node in nodes]
    memory = [node.memory()["rss"] for node in nodes]
    used = [node.cpu_seconds() for node in nodes]
    flood = attacker.flood(110, *arguments)
    start = time.monotonic()
    time.sleep(seconds / 4)
    newcomer = machines[2].node(**family)
    verified = max(node.wait_local(newcomer, timeout=40) for node in nodes) - newcomer.ready_at
    assert flood.poll() is None, "the flood was over before the newcomer was in"
    time.sleep(max(0.0, start + seconds - time.monotonic()))
    flood.terminate()
    result = flood.wait_json()
    # To find the key of a group takes 64 MiB for a moment at the start: the peak is that then, whatever comes later.
    kept = "rss" if kind is sealed_garbage else "peak"
    grown = max(node.memory()[kept] - before for node, before in zip(nodes, memory, strict=True))
    load = max(node.cpu_seconds() - before for node, before in zip(nodes, used, strict=True))
    load /= time.monotonic() - start
    print(f"{kind.__name__}: {result['sent']} packets at {result['rate']:.0f}/s; newcomer verified after "
          f"{verified * 1000:.0f} ms; grown by {grown / 1e6:.1f} MB; {load:.0%} of a core; "
          f"dropped {nodes[0].counters('dropped')}")
    gone = [event for each in events for _, event in each.received if event["topic"] == "multicast_peer_gone"]
    for each in events:
        each.close()
    if seconds > 10:
        assert result["rate"] > 15_000
    assert verified < NEWCOMER * (1 if seconds > 10 else NOISE)
    assert grown < GROWTH
    assert not gone
    assert set(nodes[0].peers()) == {nodes[1].mid, newcomer.mid}
    wait_all_local([*nodes, newcomer], 5)
