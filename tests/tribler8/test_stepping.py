"""Stepping aside in Tribler: parts of a limit at handles, and the user's own limits for ever."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tribler_multicast.lan.torrent_peers import Meter, is_on_lan
from tribler_multicast.tribler8.stepping import EACH, LEAST, Overlays, Stepping, lowest, shares

INTERNET, LAN = "203.0.113.9", "192.168.1.7"


class Handle:
    """
    A handle that counts for its peers, and notes its limits.
    """

    def __init__(self, up: int, address: str) -> None:
        self.peers = [SimpleNamespace(ip=(address, 6881), total_upload=0, total_download=0)]
        self.up = up
        self.limits: tuple[int, int] = (0, 0)

    def is_valid(self) -> bool:
        return True

    def get_peer_info(self) -> list[Any]:
        for peer in self.peers:
            peer.total_upload += self.up
        return self.peers

    def set_upload_limit(self, rate: int) -> None:
        self.limits = rate, self.limits[1]

    def set_download_limit(self, rate: int) -> None:
        self.limits = self.limits[0], rate


class Download:
    """
    A download of a user who set a limit, or none.
    """

    def __init__(self, up: int = 100_000, *, hops: int = 0, users: int = 0, address: str = INTERNET) -> None:
        self.handle = Handle(up, address)
        self.up = up
        self.config = SimpleNamespace(get_hops=lambda: hops, get_upload_limit=lambda: users,
                                      get_download_limit=lambda: 0)
        self.handle.limits = users, 0

    def get_state(self) -> Any:  # noqa: ANN401
        return SimpleNamespace(get_current_speed=lambda direction: self.up if direction == "up" else 0)


async def moving(**downloads: Download) -> Stepping:
    """
    Get it after it looked at these twice.
    """
    manager = SimpleNamespace(downloads={name.encode(): download for name, download in downloads.items()})
    stepping = Stepping(manager)
    for _ in range(2):
        stepping._looked_at = -EACH
        stepping.traffic()
        if stepping._task is not None:
            await asyncio.wait_for(stepping._task, 10)
    return stepping


async def test_limit_is_divided_and_taken_back() -> None:
    fast, slow = Download(300_000), Download(100_000)
    stepping = await moving(fast=fast, slow=slow)
    stepping.limit(200_000.0, None)
    assert fast.handle.limits[0] + slow.handle.limits[0] == pytest.approx(200_000, abs=2)
    assert fast.handle.limits[0] > slow.handle.limits[0] > 0
    stepping.limit(None, None)
    assert fast.handle.limits == slow.handle.limits == (0, 0)


async def test_limits_of_the_user_are_a_ceiling_and_come_back() -> None:
    download = Download(users=50_000)
    stepping = await moving(a=download)
    stepping.limit(200_000.0, None)
    assert download.handle.limits[0] == 50_000
    stepping.limit(20_000.0, None)
    assert download.handle.limits[0] == 20_000
    stepping.close()
    assert download.handle.limits[0] == 50_000


async def test_user_who_changes_a_limit_meanwhile_does_not_take_ours_away() -> None:
    download = Download()
    stepping = await moving(a=download)
    stepping.limit(20_000.0, None)
    for users, expected in ((900_000, 20_000), (5_000, 5_000), (0, 20_000)):
        download.config.get_upload_limit = lambda users=users: users
        download.handle.set_upload_limit(users)  # as Tribler does
        stepping.limit(20_000.0, None)
        assert download.handle.limits[0] == expected
    stepping.limit(None, None)
    assert download.handle.limits[0] == 0


async def test_download_that_the_limit_made_slow_keeps_its_part() -> None:
    slow = Download()
    stepping = await moving(a=slow)
    stepping.limit(20_000.0, None)
    stepping.moving.clear()
    stepping.limit(20_000.0, None)
    assert slow.handle.limits[0] == 20_000
    stepping.limit(30_000.0, None)
    assert slow.handle.limits[0] == 30_000


async def test_anonymous_downloads_are_neither_counted_nor_limited() -> None:
    hidden, open_one = Download(hops=1), Download()
    stepping = await moving(hidden=hidden, open_one=open_one)
    stepping.limit(10_000.0, 10_000.0)
    assert hidden.handle.limits == (0, 0)
    assert open_one.handle.limits[0] == 10_000
    assert hidden.handle.peers[0].total_upload == 0
    assert stepping.traffic().peers == {(INTERNET, 6881)}


async def test_what_goes_over_the_lan_is_neither() -> None:
    download = Download(address=LAN)
    stepping = await moving(a=download)
    stepping.limit(10_000.0, None)
    assert download.handle.limits == (0, 0)
    assert stepping.traffic().up == 0


async def test_what_somebody_watches_is_no_bulk() -> None:
    watched, other = Download(), Download()
    stepping = await moving(watched=watched, other=other)
    stepping.streaming = SimpleNamespace(watched=lambda: {b"watched"})  # type: ignore[assignment]
    traffic = stepping.traffic()
    assert traffic.bulk_up == pytest.approx(traffic.up / 2)
    stepping.limit(10_000.0, None)
    assert watched.handle.limits == (0, 0)
    assert other.handle.limits[0] == 10_000


async def test_download_that_is_gone_is_forgotten() -> None:
    download = Download()
    stepping = await moving(a=download)
    stepping.limit(10_000.0, None)
    stepping.download_manager.downloads.clear()
    stepping.limit(None, None)
    assert download.handle.limits[0] == 10_000
    assert not stepping.limited


def test_parts_are_never_nothing_and_no_more_than_all() -> None:
    assert shares(None, [1.0, 2.0]) == [None, None]
    assert shares(1.0, [1.0, 2.0]) == [LEAST, LEAST]
    assert sum(part or 0 for part in shares(1e6, [0.0, 5.0, 10.0])) <= 1e6 + 2


def test_of_several_limits_the_lowest_counts() -> None:
    assert lowest(0, None, None) == 0
    assert lowest(-1, None) == -1
    assert lowest(500, None, 300) == 300
    assert lowest(0, 400, 300) == 300


@pytest.mark.parametrize("address, on_lan", [(LAN, True), (INTERNET, False), ("::ffff:192.168.1.7", True),
                                             ("2001:db8::1", False), ("fe80::1", True), ("no address", True)])
def test_addresses_of_the_lan_are_known(address: str, on_lan: bool) -> None:
    assert is_on_lan(address) == on_lan


def test_first_look_says_nothing_and_peers_that_come_bring_nothing_from_before() -> None:
    meter, handle = Meter(), Handle(1000, INTERNET)
    handle.peers[0].total_upload = 10**9
    assert meter.look(0.0, {"a": handle})["a"].up == 0
    assert meter.look(1.0, {"a": handle})["a"].up == pytest.approx(1050)
    handle.peers.append(SimpleNamespace(ip=(INTERNET, 7000), total_upload=10**9, total_download=0))
    assert meter.look(2.0, {"a": handle})["a"].up == pytest.approx(1050)


async def test_what_moves_besides_is_known_but_is_not_told_as_traffic() -> None:
    hidden, open_one = Download(500_000, hops=1), Download(100_000, address=LAN)
    stepping = await moving(hidden=hidden, open_one=open_one)
    traffic = stepping.traffic()
    assert (traffic.up, traffic.more_up) == (0, 100_000)


def test_of_overlays_rather_too_much_is_known_than_too_little() -> None:
    counted = [0, 0]
    overlays = Overlays(lambda: (counted[0], counted[1]))
    for second, up in enumerate((0, 50_000, 0, 0)):  # IPv8 counts when it likes to
        counted[0] += up
        overlays.look(100.0 + second)
        overlays.look(100.2 + second)
    assert overlays.rates() == (pytest.approx(1.3 * 50_000), 0.0)


async def test_session_sends_in_small_bursts_while_there_is_a_limit_and_as_before_after_it() -> None:
    libtorrent = pytest.importorskip("libtorrent")
    session = libtorrent.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
                                  "tick_interval": 400})
    waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    stepping = Stepping(SimpleNamespace(downloads={}, ltsessions={0: waiting}, ltsettings={}))
    stepping.limit(50_000.0, None)  # there is no session yet
    stepping.limit(None, None)
    waiting.set_result(session)
    before = session.get_settings()
    stepping.limit(50_000.0, None)
    assert session.get_settings()["tick_interval"] < 100
    assert session.get_settings()["send_buffer_watermark"] < before["send_buffer_watermark"]
    stepping.limit(50_000.0, 60_000.0)
    assert session.get_settings()["request_queue_time"] == 0 < before["request_queue_time"]
    stepping.close()
    assert session.get_settings() == before
    assert before["tick_interval"] == 400
