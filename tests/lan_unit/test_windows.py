"""Narrow windows and small bursts: what is set while there is a limit, and that it is taken back."""

from __future__ import annotations

import socket
import sys

import pytest

from tribler_multicast.lan.torrent_bursts import UNLIMITED, Asking, limited
from tribler_multicast.lan.windows import RECEIVE_LOCK, SO_BUF_LOCK, Windows


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="windows are narrowed on Linux only")
def test_window_is_narrow_while_there_is_a_limit_and_free_afterwards() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as mine:
        other, _ = server.accept()
        with other:
            before = mine.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            peers = {server.getsockname()}
            windows = Windows()
            assert windows.narrow(peers, 50_000.0) == 1
            assert mine.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < before
            assert mine.getsockopt(socket.SOL_SOCKET, SO_BUF_LOCK) & RECEIVE_LOCK
            windows.free()
            assert mine.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == before
            assert not mine.getsockopt(socket.SOL_SOCKET, SO_BUF_LOCK) & RECEIVE_LOCK
            assert mine.getblocking()


def test_no_limit_leaves_all_as_it_is() -> None:
    assert limited(None, None) == UNLIMITED


def test_bursts_follow_the_limit_and_seldom_change() -> None:
    assert limited(100_000.0, None)["send_buffer_watermark"] == 1_025
    assert limited(100_000.0, None) == limited(101_000.0, None)
    assert limited(None, 1e6)["request_queue_time"] == 0
    assert limited(None, 1e6, ahead=1)["request_queue_time"] == 1


def test_more_is_asked_for_ahead_where_few_peers_are_too_far_away_until_there_is_no_limit() -> None:
    asking = Asking()
    assert [asking.look(now, 1e6, 9e5) for now in (0.0, 5.0)] == [0, 0]
    assert [asking.look(now, 1e6, 3e5) for now in (6.0, 7.0)] == [0, 0]
    assert [asking.look(now, 1e6, rate) for now, rate in ((8.0, 8e5), (9.0, 3e5), (14.0, 3e5), (15.0, 3e5))] \
        == [0, 0, 0, 1]
    assert asking.look(16.0, 1e6, 1e6) == 1
    assert [asking.look(now, limit, 0.0) for now, limit in ((17.0, None), (18.0, 1e6))] == [0, 0]
