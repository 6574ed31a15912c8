"""
Small videos for tests, made by ffmpeg: colour bars and a tone, a picture that stands alone in each second.
"""
from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

BARS: Final = "smptebars=size=320x180:rate=25"
TONE: Final = "sine=frequency=440:sample_rate=48000"
H264: Final = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p",
               "-c:a", "aac"]
FORMATS: Final[dict[str, list[str]]] = {
    "ts": [*H264, "-f", "mpegts"],
    "mp4": [*H264, "-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4"],
    "webm": ["-c:v", "libvpx", "-g", "25", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus", "-live", "1",
             "-f", "webm"],
}
"""How each format is made, by the ending of its name."""

TYPES: Final = {"ts": "video/mp2t", "mp4": "video/mp4", "webm": "video/webm"}


def need_ffmpeg() -> None:
    """
    Skip where there is none.
    """
    if shutil.which("ffmpeg") is None:
        pytest.skip("the program ffmpeg is missing (apt-get install ffmpeg)")


def command(ending: str, seconds: float, *, live: bool = False) -> list[str]:
    """
    Get what makes a video on stdout, at its own pace (`live`) or as fast as it can.
    """
    pace = ["-re"] if live else []
    return ["ffmpeg", "-v", "error", "-nostdin", *pace, "-f", "lavfi", "-i", BARS, *pace, "-f", "lavfi", "-i", TONE,
            "-t", str(seconds), *FORMATS[ending], "-flush_packets", "1", "-"]


def video(ending: str, seconds: float = 6.0) -> bytes:
    """
    Make a video.
    """
    need_ffmpeg()
    return subprocess.run(command(ending, seconds), capture_output=True, check=True, timeout=60).stdout


def film(file: Path, seconds: float) -> Path:
    """
    Make a film of 4 Mbit/s: colour bars with noise, to be played from a file.
    """
    need_ffmpeg()
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i",
                    "smptebars=size=320x180:rate=25,noise=alls=30:allf=t", "-t", str(seconds), "-c:v", "libx264",
                    "-preset", "ultrafast", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M", "-g", "25",
                    "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(file)], check=True, timeout=120)
    return file


def decoded(data: bytes, file: Path) -> int:
    """
    Count the pictures that ffmpeg decodes from a piece, without a complaint.
    """
    file.write_bytes(data)
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", str(file), "-map", "0:v", "-f", "framemd5", "-"],
                          capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return sum(not line.startswith("#") for line in done.stdout.splitlines())
