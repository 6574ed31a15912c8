"""
Playlists: segments that follow from each other, of what is kept, whatever the stream says of its times.
"""
from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pytest

from tests.videos import TYPES, decoded, video
from tribler_multicast.streams.channel import Channel
from tribler_multicast.streams.limits import BLOCK, MAX_SEGMENTS
from tribler_multicast.streams.log import StreamLog
from tribler_multicast.streams.media.cut import Cut
from tribler_multicast.streams.playlist import Playlist

if TYPE_CHECKING:
    from pathlib import Path


def text(playlist: Playlist) -> str:
    return playlist.text(str)


def durations(playlist: Playlist) -> list[float]:
    return [float(found) for found in re.findall(r"#EXTINF:([0-9.]+),", text(playlist))]


def of_cuts(*cuts: tuple[int, float | None], each: float = 1.0) -> Playlist:
    log = StreamLog()
    log.append(bytes(1000 * len(cuts)))
    playlist = Playlist(log)
    for number, (position, time) in enumerate(cuts):
        playlist.cut(Cut(position, time), number * each)
    return playlist


@pytest.mark.parametrize("ending", ["ts", "mp4"])
def test_the_segments_together_are_the_stream_and_each_plays_by_itself(tmp_path: Path, ending: str) -> None:
    data = video(ending, 5)
    log = StreamLog()
    channel = Channel("ab", "bars", TYPES[ending], log, lambda _: None)
    for at in range(0, len(data), 4000):
        log.append(data[at:at + 4000])
    log.end()
    assert channel.scanner is not None
    playlist, pictures = channel.playlist, 0
    assert text(playlist).endswith("#EXT-X-ENDLIST\n")
    numbers = range(text(playlist).count("#EXTINF"))
    assert len(numbers) == 5
    at = playlist.segment(0).start
    for number in numbers:
        segment = playlist.segment(number)
        assert segment.start == at
        at = segment.end
        piece = data[segment.start:segment.end]
        pictures += decoded(channel.scanner.head + piece, tmp_path / f"piece.{ending}")
    assert at == len(data)
    assert pictures == 125
    assert all(duration == pytest.approx(1.0, abs=0.1) for duration in durations(playlist))


def test_places_that_are_close_are_one_segment() -> None:
    assert durations(of_cuts(*((1000 * i, i / 4) for i in range(9)), each=0.25)) == [1.0, 1.0]


@pytest.mark.parametrize("times", [(0.0, 1e9, 2e9), (5.0, 4.0, 3.0), (None, None, None), (0.0, math.inf, 1.0),
                                   (0.0, math.nan, 1.0)])
def test_times_that_cannot_be_true_are_replaced_by_the_clock(times: tuple[float | None, ...]) -> None:
    assert durations(of_cuts(*((1000 * number, time) for number, time in enumerate(times)), each=2.0)) == [2.0, 2.0]


def test_a_segment_with_a_hole_is_left_out_and_the_next_said_to_be_new() -> None:
    log = StreamLog()
    channel = Channel("ab", "x", "video/mp2t", log, lambda _: None)
    playlist = channel.playlist
    log.append(bytes(5000))
    playlist.cut(Cut(0, 0.0), 0)
    playlist.cut(Cut(1000, 1.0), 1)
    log.append_at(6000, bytes(4000))
    playlist.cut(Cut(7000, 3.0), 3)
    playlist.cut(Cut(8000, 4.0), 4)
    lines = text(playlist).splitlines()
    assert [line for line in lines if not line.startswith("#EXT-X-") or "DISCONTINUITY" in line][1:] == [
        "#EXT-X-DISCONTINUITY-SEQUENCE:0", "#EXTINF:1.000,", "0", "#EXT-X-DISCONTINUITY", "#EXTINF:1.000,", "1"]


def test_only_segments_that_are_kept_are_listed_and_the_numbers_go_on() -> None:
    log = StreamLog(4 * BLOCK)
    playlist = Playlist(log)
    for number in range(500):
        playlist.cut(Cut(log.edge, float(number)), number)
        log.append(bytes(BLOCK // 2))
    shown = text(playlist)
    assert f"#EXT-X-MEDIA-SEQUENCE:{playlist._segments[0].number}" in shown
    assert playlist._segments[0].start >= log.first
    assert playlist.segment(playlist._segments[0].number - 1) is None
    assert playlist.segment(498) is not None
    assert playlist.segment(499) is None


def test_a_playlist_is_bounded_whatever_the_stream_says() -> None:
    playlist = of_cuts(*((i, 2.0 * i) for i in range(1000)))
    assert text(playlist).count("#EXTINF") == MAX_SEGMENTS
    assert len(text(playlist)) < 16384
