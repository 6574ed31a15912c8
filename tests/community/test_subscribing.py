"""Following a neighbour: what is new and what is not, what waits, and what survives a restart."""
from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.protocol.simulated import identity_from
from tribler_multicast.client import ClientError
from tribler_multicast.community import subscribing
from tribler_multicast.community.subscribed import load_subscriptions, save_subscriptions
from tribler_multicast.community.subscribing import (
    MAX_BEGUN_PER_DAY,
    MAX_SEEN,
    MAX_SUBSCRIPTIONS,
    Begun,
    Subscription,
    Subscriptions,
)
from tribler_multicast.protocol.identity import ipv8_key
from tribler_multicast.transfer.content.manifest import Content, Manifest
from tribler_multicast.transfer.errors import TransferError

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHER, OTHER = identity_from("publisher"), identity_from("other")
GIB = 1 << 30


def episode(number: int, time: int | None = None, size: int = 1000, who: Any = PUBLISHER) -> Manifest:  # noqa: ANN401
    content = Content(False, f"episode {number}.mkv", size, 0, 1, number.to_bytes(32, "big"))
    return Manifest.sign(content, who, number if time is None else time)


class Service:
    """Receives, as the test says."""

    def __init__(self) -> None:
        self.publications: dict[bytes, object] = {}
        self.transfers: dict[str, Any] = {}
        self.offers: list[Manifest] | None = []
        self.received: list[tuple[bytes, Path]] = []
        self.error: Exception | None = None
        self.offered = self

    async def of(self, mid: bytes) -> list[Manifest] | None:
        assert mid == PUBLISHER.mid
        return self.offers

    async def receive(self, content_id: bytes, output: Path) -> SimpleNamespace:
        if self.error is not None:
            raise self.error
        self.received.append((content_id, output))
        return SimpleNamespace(id=f"{len(self.received):016x}")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def followed(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subscriptions:
    monkeypatch.setattr(subscribing, "LEAST_FREE", 0)
    peer = SimpleNamespace(key=PUBLISHER.key, introduction=SimpleNamespace(nickname="studio"))
    multicast = SimpleNamespace(
        options={}, database=None, my_peer=SimpleNamespace(mid=OTHER.mid), told=[],
        client=SimpleNamespace(download_folder=lambda: tmp_path / "downloads"),
        core=SimpleNamespace(peers=SimpleNamespace(of_mid=lambda mid: peer if mid == PUBLISHER.mid else None)))
    multicast.tell = lambda topic, **about: multicast.told.append((topic, about))
    return Subscriptions(multicast, lambda: service, tmp_path / "state")  # type: ignore[arg-type, return-value]


def ids(service: Service) -> list[bytes]:
    return [content_id for content_id, _ in service.received]


async def test_what_was_there_is_left_and_what_comes_is_received_once(
        followed: Subscriptions, service: Service, tmp_path: Path) -> None:
    service.offers = [episode(2), episode(1)]
    subscription = await followed.add(PUBLISHER.mid, None, 0)
    service.offers.append(episode(3))
    for _ in range(2):
        await followed.look(subscription)
    assert service.received == [(episode(3).content.id, tmp_path / "downloads")]
    [(topic, about)] = followed.multicast.told  # type: ignore[attr-defined]
    assert (topic, about["name"]) == ("multicast_subscription", "episode 3.mkv")
    [begun] = followed.view(subscription)["begun"]
    assert (begun["name"], begun["state"]) == ("episode 3.mkv", None)


async def test_the_newest_there_are_come_first_when_wanted(followed: Subscriptions, service: Service) -> None:
    service.offers = [episode(number) for number in (5, 3, 4, 1)]
    await followed.add(PUBLISHER.mid, None, 2)
    assert ids(service) == [episode(4).content.id, episode(5).content.id]


async def test_an_old_one_whose_offer_was_lost_at_the_first_look_is_not_taken_for_new(
        followed: Subscriptions, service: Service) -> None:
    service.offers = [episode(10)]
    subscription = await followed.add(PUBLISHER.mid, None, 0)
    service.offers = [episode(number) for number in range(5, 12)]
    await followed.look(subscription)
    assert ids(service) == [episode(11).content.id]


async def test_an_old_one_is_not_taken_for_new_when_the_whole_answer_was_lost(
        followed: Subscriptions, service: Service) -> None:
    subscription = await followed.add(PUBLISHER.mid, None, 0)
    now = int(subscription.since)
    service.offers = [episode(1, now - 8000), episode(2, now - 60), episode(3, now + 60)]
    await followed.look(subscription)
    assert ids(service) == [episode(2, now - 60).content.id, episode(3, now + 60).content.id]


async def test_nobody_publishes_in_the_name_of_another(followed: Subscriptions, service: Service) -> None:
    subscription = await followed.add(PUBLISHER.mid, None, 0)
    service.offers = [episode(1, int(subscription.since), who=OTHER)]
    await followed.look(subscription)
    assert service.received == []


async def test_who_is_not_here_is_not_taken_for_one_who_offers_nothing(followed: Subscriptions,
                                                                       service: Service) -> None:
    service.offers = None
    subscription = await followed.add(PUBLISHER.mid, None, 0)
    assert (subscription.looked, subscription.last_look) == (False, None)


async def test_what_is_too_large_is_left_out_and_told(followed: Subscriptions, service: Service) -> None:
    subscription = await followed.add(PUBLISHER.mid, None, 0)
    followed.multicast.options["subscribe_size"] = 2000  # type: ignore[index]
    now = int(subscription.since)
    service.offers = [episode(1, now, 3000), episode(2, now, 2000)]
    await followed.look(subscription)
    assert ids(service) == [episode(2, now, 2000).content.id]
    assert "episode 1.mkv is larger" in subscription.error


async def test_what_finds_no_room_waits_and_comes_later(followed: Subscriptions, service: Service,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = await followed.add(PUBLISHER.mid, None, 0)
    service.offers = [episode(1, int(subscription.since), 5 * GIB)]
    monkeypatch.setattr(subscribing, "_room", lambda _folder: 6 * GIB)
    monkeypatch.setattr(subscribing, "LEAST_FREE", 2 * GIB)
    await followed.look(subscription)
    assert service.received == []
    assert "too little room" in subscription.error
    monkeypatch.setattr(subscribing, "_room", lambda _folder: 8 * GIB)
    service.error = TransferError("64 transfers are receiving already")
    await followed.look(subscription)
    assert "64 transfers" in subscription.error
    service.error = None
    await followed.look(subscription)
    assert len(service.received) == 1
    assert followed.view(subscription)["error"] is None


async def test_a_flood_of_new_contents_is_spread_over_days(followed: Subscriptions, service: Service) -> None:
    subscription = await followed.add(PUBLISHER.mid, None, 0)
    now = int(subscription.since)
    service.offers = [episode(number, now + number) for number in range(MAX_BEGUN_PER_DAY + 50)]
    for _ in range(3):
        await followed.look(subscription)
    assert len(service.received) == MAX_BEGUN_PER_DAY
    assert "within a day" in subscription.error
    subscription.begun = [Begun(each.content_id, each.name, each.size, each.at - 90_000, each.transfer)
                          for each in subscription.begun]
    await followed.look(subscription)
    assert len(service.received) == MAX_BEGUN_PER_DAY + 50


def test_what_is_remembered_has_an_end_and_nothing_comes_twice() -> None:
    subscription = Subscription(ipv8_key(PUBLISHER.key), looked=True)
    for number in range(MAX_SEEN + 100):
        [fresh] = subscription.fresh([episode(number)])
        subscription.note(fresh)
    assert len(subscription.seen) == MAX_SEEN
    assert subscription.fresh([episode(number) for number in (0, 1, 50, MAX_SEEN + 50)]) == []


async def test_subscriptions_survive_a_restart(followed: Subscriptions, service: Service, tmp_path: Path) -> None:
    service.offers = [episode(1)]
    subscription = await followed.add(PUBLISHER.mid, str(tmp_path / "there"), 0)
    service.offers.append(episode(2))
    await followed.look(subscription)
    again = Subscriptions(followed.multicast, followed.service, tmp_path / "state")
    await again.start()
    again.stop()
    assert again.all == followed.all
    await again.look(again.all[PUBLISHER.mid])
    assert service.received == [(episode(2).content.id, tmp_path / "there")]
    await again.remove(PUBLISHER.mid)
    assert load_subscriptions(tmp_path / "state" / "subscriptions.json") == []
    with pytest.raises(ClientError, match="does not follow"):
        await again.remove(PUBLISHER.mid)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2, "subscriptions": []}', b"[" * 100_000,
                                     b'{"version": 1, "subscriptions": [{"key": "00"}]}'])
def test_a_file_that_makes_no_sense_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "subscriptions.json"
    path.write_bytes(content)
    assert load_subscriptions(path) == []
    assert (tmp_path / "subscriptions.json.bad").read_bytes() == content
    kept = Subscription(ipv8_key(PUBLISHER.key), "/there", 3, 5.0, True, 7, OrderedDict({bytes(32): None}),
                        [Begun(bytes(32), "a", 1, 2.0, "ab")])
    save_subscriptions(path, [kept])
    assert load_subscriptions(path) == [kept]


async def test_who_can_be_followed(followed: Subscriptions) -> None:
    first = await followed.add(PUBLISHER.mid, None, 0)
    assert await followed.add(PUBLISHER.mid, "/elsewhere", 5) is first
    for mid, why in ((OTHER.mid, "this node itself"), (bytes(20), "no node")):
        with pytest.raises(ClientError, match=why):
            await followed.add(mid, None, 0)
    followed.all |= {bytes([number]) * 20: first for number in range(1, MAX_SUBSCRIPTIONS)}
    with pytest.raises(ClientError, match="followed already"):
        await followed.add(bytes(20), None, 0)
