"""
``announce`` and ``listen``: tuples from one node to another, by the command line.
"""
from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.cli_render import json_text

from .nodes import environment, run, run_here, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import StartNode
    from .nodes import RunningNode

PATIENCE = 20.0


class Listening:
    """
    A ``listen`` that runs.
    """

    def __init__(self, node: RunningNode, *arguments: str) -> None:
        """
        Start it; ``hears`` waits until it listens.
        """
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tribler_multicast", "listen", "--state-dir", str(node.state_dir), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        assert self.process.stdout is not None
        self.stdout = self.process.stdout.fileno()
        self.rest = b""

    def line(self, timeout: float = PATIENCE) -> str:
        """
        The next line, without its end; nothing when none comes.
        """
        deadline = time.monotonic() + timeout
        while b"\n" not in self.rest:
            if not select.select([self.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return ""
            chunk = os.read(self.stdout, 1 << 20)
            if not chunk:
                return ""
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def hears(self, sender: RunningNode) -> None:
        """
        Announce until it is heard: from then on nothing is missed.
        """
        for number in range(100):
            announce(sender, ["are you there", number])
            if line := self.line(0.5):
                while f'there", {number}]' not in line:  # one that was late
                    line = self.line()
                    assert line
                return
        raise AssertionError("it hears nothing")

    def end(self, number: int | None = None) -> tuple[int, str]:
        """
        Wait for its end, after a signal: exit status and what it said on stderr.
        """
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        assert self.process.stderr is not None
        return status, self.process.stderr.read().decode()

    def close(self) -> None:
        """
        End it, however it is.
        """
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def announce(node: RunningNode, values: list[object]) -> None:
    """
    Announce by the API.
    """
    assert node.call("POST", "/announcements", json.dumps({"values": values}).encode())[0] == 200


@pytest.fixture
def pair(start_node: StartNode) -> tuple[RunningNode, RunningNode]:
    """
    Two nodes that know each other, the first with a name.
    """
    first, second = start_node("a", "--nickname", "Küche"), start_node("b")
    wait_for(lambda: first.peers().get(second.mid, {}).get("is_local"))
    wait_for(lambda: second.peers().get(first.mid, {}).get("is_local"))
    return first, second


@pytest.fixture
def listen() -> Iterator[Callable[..., Listening]]:
    """
    Start ``listen``; all are ended when the test ends.
    """
    started: list[Listening] = []

    def start(node: RunningNode, *arguments: str) -> Listening:
        started.append(Listening(node, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_what_one_announces_the_other_prints(pair: tuple[RunningNode, RunningNode],
                                             listen: Callable[..., Listening]) -> None:
    first, second = pair
    people, programs = listen(second), listen(second, "--json")
    people.hears(first)
    programs.hears(first)
    state = ["--state-dir", str(first.state_dir)]
    done = run("announce", '["grüße", 1, null, {"hex": "00ff"}, [true, 0.5]]', *state)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0
    seq = json.loads(run("announce", "[]", "--json", *state).stdout)
    assert seq == {"seq": int(done.stdout) + 1}
    while "grüße" not in (line := people.line()):
        assert "there" in line
    assert line == 'Küche  ["grüße", 1, null, {"hex": "00ff"}, [true, 0.5]]'
    assert people.line() == "Küche  []"
    entry = json.loads(programs.line())
    assert set(entry) == {"seq", "mid", "values", "received_at"}
    assert entry["mid"] == first.mid
    assert entry["values"] == ["grüße", 1, None, {"hex": "00ff"}, [True, 0.5]]
    assert abs(entry["received_at"] - time.time()) < 60
    assert json.loads(programs.line())["seq"] == entry["seq"] + 1
    assert people.end(signal.SIGINT) == programs.end(signal.SIGINT) == (0, "")


def test_a_sender_without_a_name_is_shown_by_its_mid_and_own_announcements_are_not(
        pair: tuple[RunningNode, RunningNode], listen: Callable[..., Listening]) -> None:
    first, second = pair
    listening = listen(first)
    listening.hears(second)
    announce(first, ["mine"])
    announce(second, ["a line\nand \x1b[31mcolour\x9b \u202e"])
    assert listening.line() == second.mid + r'  ["a line\nand \u001b[31mcolour\u009b \u202e"]'


def test_listen_ends_after_so_many(pair: tuple[RunningNode, RunningNode], listen: Callable[..., Listening]) -> None:
    first, second = pair
    witness, counting = listen(second), listen(second, "--json", "--count", "3")
    witness.hears(first)
    for number in range(60):
        announce(first, [number])
        if counting.process.poll() is not None:
            break
        time.sleep(0.1)
    assert counting.end() == (0, "")
    seqs = [json.loads(counting.line())["seq"] for _ in range(3)]
    assert seqs == list(range(seqs[0], seqs[0] + 3))
    assert counting.line() == ""


def test_large_announcements_are_read_from_stdin_and_come_whole(pair: tuple[RunningNode, RunningNode],
                                                                listen: Callable[..., Listening]) -> None:
    first, second = pair
    listening = listen(second, "--json")
    listening.hears(first)
    values = [{"hex": os.urandom(200_000).hex()}, "\x01" * 40_000]
    done = subprocess.run([sys.executable, "-m", "tribler_multicast", "announce", "-", "--state-dir",
                           str(first.state_dir)], input=json.dumps(values).encode(), capture_output=True, timeout=30,
                          env=environment(), check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(listening.line())["values"] == values


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_listen_fails_with_one_line_when_the_node_goes_away(pair: tuple[RunningNode, RunningNode],
                                                            listen: Callable[..., Listening], number: int) -> None:
    first, second = pair
    listening = listen(second)
    listening.hears(first)
    second.stop(number)
    status, said = listening.end()
    assert status == 1
    assert len(said.splitlines()) == 1, said
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [
    ["announce"], ["announce", ""], ["announce", "hello"], ["announce", "{}"], ["announce", '"text"'],
    ["announce", "1"], ["announce", "null"], ["announce", "[NaN]"],
    ["announce", "[1e999]"], ["announce", "[1,]"], ["announce", "[1] [2]"],
    ["announce", "[" * 90_000], ["announce", "[]", "[]"], ["announce", "[" + "1" * 5000 + "]"],
    ["listen", "--count"], ["listen", "--count", "0"], ["listen", "--count", "-1"], ["listen", "--count", "1.5"],
    ["listen", "--count", "many"], ["listen", "[]"]])
def test_wrong_usage_is_one_line_and_status_2_without_a_node_even(tmp_path: Path, arguments: list[str]) -> None:
    done = run_here(*arguments, "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert len(done.stderr) < 400


@pytest.mark.parametrize("content", [b"", b"\xff[]", b"{}", b"[1", b" " * 5_000_000, b'["\xed\xa0\x80"]'])
def test_wrong_input_is_one_line_and_status_2(tmp_path: Path, content: bytes) -> None:
    done = subprocess.run([sys.executable, "-m", "tribler_multicast", "announce", "-", "--state-dir", str(tmp_path)],
                          input=content, capture_output=True, timeout=30, env=environment(), check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(done.stderr.splitlines()) == 1


def test_what_the_node_refuses_is_one_line(start_node: StartNode) -> None:
    node = start_node("a")
    state = ["--state-dir", str(node.state_dir)]
    for values in ('[{"name": 1}]', '["\\ud800"]', '[{"hex": "0"}]', "[" * 40 + "]" * 40):
        done = run("announce", values, *state)
        assert (done.returncode, done.stdout) == (2, ""), values
        assert len(done.stderr.splitlines()) == 1
    for size in (300_000, 3_000_000):
        done = subprocess.run([sys.executable, "-m", "tribler_multicast", "announce", "-", *state], env=environment(),
                              input=json.dumps(["x" * size]).encode(), capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (2, b""), size
        assert len(done.stderr.splitlines()) == 1
    assert run("settings", "enabled=false", *state).returncode == 0
    done = run("announce", "[1]", *state)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "switched off" in done.stderr


def test_what_a_stranger_chose_cannot_move_the_cursor_and_stays_json() -> None:
    value = ["ü\u4e2d\U0001f600", "\x1b[2J\r\n\x00\x7f\x9b\u202e\ufeff", {"hex": "00"}]
    text = json_text(value)
    assert json.loads(text) == value
    assert text.startswith('["ü\u4e2d\U0001f600"')
    assert text.isprintable()
