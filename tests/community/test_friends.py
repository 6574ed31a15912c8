"""Friends between communities with real sockets on loopback, kept in real databases."""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.database import PeerDatabase

from .test_multicast import Host, Maker, make, make_pair, until

if TYPE_CHECKING:
    from pathlib import Path

    from tribler_multicast import MulticastCommunity

__all__ = ["make"]


def state(node: MulticastCommunity, other: MulticastCommunity) -> str:
    [found] = [peer.friend for peer in node.local_peers() if peer.mid == other.my_peer.mid]
    return found


async def befriend(a: MulticastCommunity, b: MulticastCommunity) -> None:
    assert a.ask_friend(b.my_peer.mid) == "sent"
    await until(lambda: state(b, a) == "received")
    assert b.ask_friend(a.my_peer.mid) == "mutual"
    await until(lambda: state(a, b) == "mutual")


async def test_asking_and_accepting_make_friends_and_both_clients_are_told(make: Maker) -> None:
    host = Host()
    a, b = await make_pair(make, client=host)
    heard: list[tuple[str, dict[str, Any]]] = []
    b.add_event_handler(lambda topic, kwargs: heard.append((topic, kwargs)))
    await befriend(a, b)
    assert [(friend.mid, friend.friend, friend.nickname, friend.is_local) for friend in a.friends()] == [
        (b.my_peer.mid, "mutual", "node 1", True)]
    mids = a.my_peer.mid.hex(), b.my_peer.mid.hex()
    assert [kwargs for topic, kwargs in host.heard if topic == "multicast_friend"] == [
        {"mid": mids[1], "nickname": "node 1", "friend": friend} for friend in ("sent", "mutual")]
    assert [kwargs for topic, kwargs in heard if topic == "multicast_friend"] == [
        {"mid": mids[0], "nickname": "node 0", "friend": friend} for friend in ("received", "mutual")]
    assert b.withdraw_friend(a.my_peer.mid) == "none"
    await until(lambda: state(a, b) == "none")
    assert a.friends() == b.friends() == []


async def test_friends_outlast_a_restart_in_the_database(make: Maker, tmp_path: Path) -> None:
    database = PeerDatabase.open(tmp_path / "a.db", time.time())
    a, b = await make_pair(make, database=database)
    await befriend(a, b)
    await a.unload()
    database.close()
    database = PeerDatabase.open(tmp_path / "a.db", time.time())
    again = await make(key=a.my_peer.key, epoch=2, database=database)
    assert [friend.friend for friend in again.friends()] == ["mutual"]
    await until(lambda: again.local_peers() and b.local_peers())
    assert state(again, b) == "mutual"
    assert state(b, again) == "mutual"
    database.close()


async def test_who_is_away_is_asked_when_it_is_back(make: Maker, tmp_path: Path) -> None:
    database = PeerDatabase.open(tmp_path / "a.db", time.time())
    a, b = await make_pair(make, database=database)
    await b.stop()
    await until(lambda: not a.local_peers())
    assert a.ask_friend(b.my_peer.mid) == "sent"
    assert [friend.is_local for friend in a.friends()] == [False]
    await b.start()
    await until(lambda: b.local_peers() and state(b, a) == "received")
    database.close()


async def test_what_cannot_be_asked_is_said_in_one_line(make: Maker) -> None:
    node = await make()
    for call in (node.ask_friend, node.withdraw_friend):
        with pytest.raises(KeyError):
            call(bytes(20))
        for wrong, words in ((node.my_peer.mid, "this node itself"), (b"short", "20 bytes")):
            with pytest.raises(ValueError, match=words) as caught:
                call(wrong)
            assert "\n" not in str(caught.value)


async def test_a_friends_only_node_announces_to_friends_and_changes_its_mind_while_running(make: Maker) -> None:
    options: dict[str, Any] = {"policy": "friends"}
    only = await make(options=options)
    friend, other = await make(), await make()
    await until(lambda: all(len(node.local_peers()) == 2 for node in (only, friend, other)))
    await befriend(only, friend)
    heard: dict[str, list[tuple[Any, ...]]] = {"friend": [], "other": [], "only": []}
    for name, node in (("friend", friend), ("other", other), ("only", only)):
        node.add_announcement_handler(lambda _peer, values, name=name: heard[name].append(values))  # type: ignore[misc]
    only.announce(("for friends",))
    other.announce(("unwanted",))
    await until(lambda: ("for friends",) in heard["friend"])
    result = await other.ping(only.my_peer.mid, count=2, interval=0.05)
    assert (result.received, result.loss) == (0, 1.0)
    assert (await friend.ping(only.my_peer.mid, count=2, interval=0.05)).received == 2
    assert heard["other"] == heard["only"] == []
    assert only.counters()["dropped"]["not_friend"] > 2
    only.options["policy"] = "everyone"  # type: ignore[index]
    await only.apply_settings({"policy"})
    only.announce(("for all",))
    other.announce(("hello",))
    await until(lambda: ("for all",) in heard["other"] and ("hello",) in heard["only"])
    only.options["policy"] = "friends"  # type: ignore[index]
    await only.apply_settings({"policy"})
    assert (await other.ping(only.my_peer.mid, count=1)).received == 0
