"""
Friends between machines, and what a node for friends only lets out on the wire.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.wire import PAIR_SEALED, PREFIX, Kind

from .attacker import AFTER_GUARD, key_of
from .node import Node, RestError, wait_all_local

if TYPE_CHECKING:
    from .packets import Packet
    from .testbed import Lan

SECRET = "what nobody else may know"
OPEN = {Kind.INTRODUCTION, Kind.GOODBYE, Kind.SOLICITATION, Kind.CHALLENGE, Kind.RESPONSE, Kind.CONFIRM, Kind.PROBE,
        Kind.PROBE_REPLY, Kind.FRIEND}


def friend(node: Node, other: Node) -> str | None:
    return node.peer(other).get("friend")


def wait_friends(one: Node, other: Node, states: tuple[str, str], timeout: float = 20.0) -> float:
    return one.wait_for(lambda: (friend(one, other), friend(other, one)) == states, timeout, f"{one}, {other} {states}")


def befriend(one: Node, other: Node) -> None:
    one.rest("PUT", f"/friends/{other.mid}")
    wait_friends(one, other, ("sent", "received"))
    assert other.rest("PUT", f"/friends/{one.mid}")["friend"] == "mutual"
    wait_friends(one, other, ("mutual", "mutual"))


def test_friends_ask_accept_restart_and_part(lan: Lan) -> None:
    one, other = lan.machines(2)
    a, b = one.node("a"), other.node("b", nickname="tv")
    wait_all_local([a, b])
    events = b.events()
    start = time.time()
    assert a.rest("PUT", f"/friends/{b.mid}")["friend"] == "sent"
    asked = wait_friends(a, b, ("sent", "received"))
    events.wait_for("multicast_friend", mid=a.mid, friend="received")
    b.rest("PUT", f"/friends/{a.mid}")
    wait_friends(a, b, ("mutual", "mutual"))
    print(f"asked in {1000 * (asked - start):.0f} ms, REST and polling included")
    assert [peer["mid"] for peer in a.rest("GET", "/friends")["peers"]] == [b.mid]
    events.close()
    a.stop()
    b.stop()
    a, b = one.node("a", state=a.state), other.node("b", state=b.state)
    wait_all_local([a, b])
    time.sleep(1)
    assert (friend(a, b), friend(b, a)) == ("mutual", "mutual")
    b.stop()
    a.wait_not_local(b)
    assert a.rest("DELETE", f"/friends/{b.mid}")["friend"] == "none"
    a.kill()
    a, b = one.node("a", state=a.state), other.node("b", state=b.state)
    wait_friends(a, b, ("none", "none"))
    with pytest.raises(RestError) as refused:
        a.rest("PUT", f"/friends/{'00' * 20}")
    assert refused.value.status == 404


def test_killed_right_after_the_answer_it_still_asks(lan: Lan) -> None:
    one, other = lan.machines(2)
    a, b = one.node("a"), other.node("b")
    wait_all_local([a, b])
    b.kill()
    a.rest("PUT", f"/friends/{b.mid}")
    a.kill()
    a = one.node("a", state=a.state)
    assert friend(a, b) == "sent"
    b = other.node("b", state=b.state)
    wait_friends(a, b, ("sent", "received"))


@pytest.mark.usefixtures("loss")
def test_friends_agree_while_packets_get_lost(lan: Lan) -> None:
    machines = lan.machines(2)
    a, b = (machine.node() for machine in machines)
    wait_all_local([a, b])
    for machine in machines:
        machine.lose(40)
    start = time.time()
    befriend(a, b)
    print(f"asked and accepted in {time.time() - start:.2f} s at 40 % loss both ways")
    start = time.time()
    b.rest("DELETE", f"/friends/{a.mid}")
    print(f"parted in {wait_friends(a, b, ('none', 'none')) - start:.2f} s")


def test_a_node_for_friends_only_lets_out_nothing_for_others(lan: Lan) -> None:
    machines = lan.machines(3)
    only, pal, other = (machine.node(name, **{"policy": "friends"} if name == "only" else {})
                        for name, machine in zip(("only", "pal", "other"), machines, strict=True))
    wait_all_local([only, pal, other])
    befriend(only, pal)
    key = key_of(only)
    sniffers = [machine.sniff("eth0") for machine in machines]

    def from_only(packet: Packet) -> bool:
        return packet.payload.startswith(PREFIX) and packet.payload[AFTER_GUARD:AFTER_GUARD + 64] == key

    def heard(node: Node) -> list[object]:
        return [item["values"] for item in node.rest("GET", "/announcements")["announcements"]]

    only.rest("POST", "/announcements", {"values": [SECRET * 200]})
    other.rest("POST", "/announcements", {"values": ["unwanted"]})
    assert {peer["mid"] for peer in other.rest("POST", "/discover", {"timeout": 1})["peers"]} == {pal.mid}
    [result] = other.rest("POST", "/ping", {"mid": only.mid, "count": 3})["results"]
    assert (result["sent"], result["received"]) == (3, 0)
    pal.wait_for(lambda: heard(pal) == [[SECRET * 200], ["unwanted"]] or heard(pal) == [["unwanted"], [SECRET * 200]],
                 10, "both announcements")
    assert pal.rest("POST", "/ping", {"mid": only.mid, "count": 3})["results"][0]["received"] == 3
    time.sleep(2)
    assert heard(other) == heard(only) == []
    assert only.counters("dropped")["not_friend"] >= 3

    packets = [packet for sniffer in sniffers for packet in sniffer.stop()]
    assert all(SECRET.encode() not in packet.payload for packet in packets)
    told = {packet.payload[22] for packet in sniffers[2].packets if from_only(packet)}
    assert told <= OPEN
    to_pal = [packet.payload for packet in sniffers[1].packets if from_only(packet)]
    sealed = [data for data in to_pal if data[22] in (Kind.FRAGMENT, Kind.TRAILER)]
    assert {data[22] for data in sealed} == {Kind.FRAGMENT, Kind.TRAILER}
    assert all(data[24] & PAIR_SEALED for data in sealed)

    other.rest("PUT", f"/friends/{only.mid}")
    wait_friends(other, only, ("sent", "received"))
    only.rest("PATCH", "/settings", {"policy": "everyone"})
    only.rest("POST", "/announcements", {"values": ["for all"]})
    other.wait_for(lambda: heard(other) == [["for all"]], 10, "the policy has changed")
    assert json.dumps(SECRET) not in other.log()
