"""
``stream`` and ``play`` by the command line, at one node.
"""
from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING

from .nodes import environment, run, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartNode

DATA = random.Random(11).randbytes(300_000)


def program(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tribler_multicast", *arguments], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


def test_what_one_program_streams_another_plays(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node("a")
    state = ["--state-dir", str(node.state_dir)]
    streamer = program("stream", "my camera", *state)
    assert streamer.stdin is not None
    assert streamer.stdout is not None
    streamer.stdin.write(DATA[:1000])
    streamer.stdin.flush()
    stream_id = streamer.stdout.readline().decode().strip()
    assert len(stream_id) == 64
    listed = run("streams", *state)
    assert [stream_id, "my camera"] == [listed.stdout.splitlines()[1].split()[3],
                                        " ".join(listed.stdout.splitlines()[1].split()[4:])]
    players = [program("play", what, *state) for what in ("my camera", stream_id[:8])]
    wait_for(lambda: node.call("GET", "/streams?timeout=0.1")[1]["streams"][0]["readers"] == 2)
    streamer.stdin.write(DATA[1000:])
    streamer.stdin.close()
    for player in players:
        out, err = player.communicate(timeout=60)
        assert (player.returncode, err) == (0, b"")
        assert out == DATA
    assert streamer.wait(30) == 0
    assert run("streams", *state).stdout == "Nothing is streamed here now.\n"


def test_a_player_gets_an_address_that_opens_without_the_key(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node("a")
    state = ["--state-dir", str(node.state_dir)]
    streamer = program("stream", "radio", "--type", "audio/mpeg", *state)
    assert streamer.stdin is not None
    streamer.stdin.write(DATA[:1000])
    streamer.stdin.flush()
    wait_for(lambda: node.call("GET", "/streams?timeout=0.1")[1]["streams"])
    code = "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read(1000))"
    (tmp_path / "player.py").write_text(code)
    played = subprocess.run([sys.executable, "-m", "tribler_multicast", "play", "radio", "--player",
                             f"{sys.executable} {tmp_path / 'player.py'}", *state], capture_output=True, check=False,
                            timeout=60, env=environment())
    assert (played.returncode, played.stdout, played.stderr) == (0, DATA[:1000], b"")
    streamer.stdin.close()
    assert streamer.wait(30) == 0


def test_a_file_that_a_neighbour_offers_is_played_by_its_id(start_node: StartNode, tmp_path: Path) -> None:
    node, other = start_node("a"), start_node("b")
    state = ["--state-dir", str(node.state_dir)]
    path = tmp_path / "song.ogg"
    path.write_bytes(DATA)
    content_id = run("publish", str(path), "--state-dir", str(other.state_dir)).stdout.strip()
    wait_for(lambda: other.mid in node.peers())
    for what in (content_id, "song.ogg"):
        out, err = program("play", what, *state).communicate(timeout=60)
        assert (out, err) == (DATA, b"")


def test_what_is_not_there_is_said_in_one_line(start_node: StartNode) -> None:
    state = ["--state-dir", str(start_node("a").state_dir)]
    for arguments, status in ((("play", "nothing"), 1), (("stream", "x", "--url", "nowhere"), 2),
                              (("stream", "ab" * 32, "--end"), 1), (("stream", "ab", "--end"), 2)):
        done = run(*arguments, *state)
        assert done.returncode == status, done
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
