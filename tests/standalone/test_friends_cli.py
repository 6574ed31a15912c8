"""
``friends`` by the command line.
"""
from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from .nodes import run, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartNode
    from .nodes import RunningNode


def friend(node: RunningNode, other: RunningNode) -> str | None:
    return node.peers().get(other.mid, {}).get("friend")


def test_a_node_is_asked_accepts_and_is_removed(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b", "--nickname", "tv")
    wait_for(lambda: friend(first, second) == friend(second, first) == "none")
    mine, theirs = (["--state-dir", str(node.state_dir)] for node in (first, second))
    done = run("friends", *mine)
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (0, 1, "")
    assert json.loads(run("friends", "list", "--json", *mine).stdout) == {"peers": []}

    done = run("friends", "add", second.mid.upper(), *mine)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tv ({second.mid}) is asked\n", "")
    wait_for(lambda: friend(second, first) == "received")
    done = run("friends", *theirs)
    head, line = done.stdout.splitlines()
    assert head.split() == ["FRIEND", "STATE", "NICKNAME", "MID", "SEEN"]
    assert line.split()[:5] == ["asks", "you", "online", "-", first.mid]

    done = run("friends", "add", first.mid, "--json", *theirs)
    assert (done.returncode, json.loads(done.stdout)["friend"]) == (0, "mutual")
    wait_for(lambda: friend(first, second) == "mutual")
    [peer] = json.loads(run("friends", "--json", *mine).stdout)["peers"]
    assert (peer["mid"], peer["friend"], peer["online"]) == (second.mid, "mutual", True)

    done = run("friends", "remove", second.mid, *mine)
    assert (done.returncode, done.stdout) == (0, f"tv ({second.mid}) is no friend of yours\n")
    wait_for(lambda: friend(second, first) == "none")
    assert json.loads(run("friends", "--json", *theirs).stdout) == {"peers": []}


def test_who_is_not_here_is_asked_later_and_a_killed_node_still_asks(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: friend(first, second) == "none")
    second.stop()
    wait_for(lambda: not first.peers()[second.mid]["is_local"])
    done = run("friends", "add", second.mid, "--state-dir", str(first.state_dir))
    assert (done.returncode, "told when it is back" in done.stdout) == (0, True)
    first.stop(signal.SIGKILL)
    first = start_node("a")
    assert friend(first, second) == "sent"
    second = start_node("b")
    wait_for(lambda: friend(second, first) == "received")


def test_an_unknown_node_is_one_line(start_node: StartNode) -> None:
    node = start_node("a")
    state = ["--state-dir", str(node.state_dir)]
    for action in ("add", "remove"):
        done = run("friends", action, "00" * 20, *state)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert "00" * 20 in done.stderr
    done = run("friends", "add", node.mid, *state)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "this node itself" in done.stderr


@pytest.mark.parametrize("wrong", [["befriend"], ["add"], ["remove"], ["add", "nobody"], ["add", "00" * 19],
                                   ["list", "00" * 20], ["add", ""], ["add", "00" * 20, "00" * 20], ["--all"]])
def test_wrong_usage_is_one_line(tmp_path: Path, wrong: list[str]) -> None:
    done = run("friends", *wrong, "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_with_no_node_it_says_so(tmp_path: Path) -> None:
    done = run("friends", "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "no node is running" in done.stderr
