"""Narrow windows and small bursts: what is set while there is a limit, and that it is taken back."""

from __future__ import annotations

import socket
import sys

import pytest

from tribler_multicast.lan.torrent_bursts import UNLIMITED, limited
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
    assert limited(None, 1e9)["max_out_request_queue"] == 256
    assert limited(None, 1_000.0)["max_out_request_queue"] == 2
