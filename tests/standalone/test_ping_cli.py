"""
``ping`` by the command line.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .nodes import run, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartNode


def test_one_or_all_are_pinged_for_people_and_for_programs(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: first.peers().get(second.mid, {}).get("is_local"))
    state = ["--state-dir", str(first.state_dir)]
    done = run("ping", *state)
    assert (done.returncode, done.stderr) == (0, "")
    head, line = done.stdout.splitlines()
    assert head.split() == ["MID", "SENT", "RECEIVED", "LOSS", "MIN", "AVG", "MAX", "UNICAST"]
    assert line.split()[:5] == [second.mid, "4", "4", "0", "%"]
    assert line.count("ms") == 4
    done = run("ping", second.mid.upper(), "--count", "2", "--json", *state)
    assert (done.returncode, done.stderr) == (0, "")
    [result] = json.loads(done.stdout)["results"]
    assert (result["mid"], result["sent"], result["received"], result["loss"]) == (second.mid, 2, 2, 0)
    assert 0 < result["min_ms"] <= result["avg_ms"] <= result["max_ms"]
    assert result["throughput_mbps"] is None
    done = run("ping", "00" * 20, *state)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "00" * 20 in done.stderr


def test_throughput_is_measured_when_asked_for(start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: first.peers().get(second.mid, {}).get("is_local"))
    state = ["--state-dir", str(first.state_dir)]
    done = run("ping", "--throughput", "--count", "1", *state)
    assert (done.returncode, done.stderr) == (0, "")
    head, line = done.stdout.splitlines()
    assert head.split()[-1] == "THROUGHPUT"
    assert line.endswith(" Mbit/s")
    assert 1 <= float(line.split()[-2]) <= 1000
    done = run("ping", "--throughput", "--count", "1", "--json", *state)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "measured just now" in done.stderr


def test_alone_there_is_nobody(start_node: StartNode) -> None:
    state = ["--state-dir", str(start_node("a").state_dir)]
    done = run("ping", *state)
    assert (done.returncode, done.stdout) == (0, "Nobody else is here.\n")
    assert json.loads(run("ping", "--json", *state).stdout) == {"results": []}


@pytest.mark.parametrize("wrong", [["nobody"], ["00" * 19], [""], ["--count", "0"], ["--count", "101"],
                                   ["--count", "two"], ["--count"], ["--throughput=1"], ["00" * 20, "00" * 20]])
def test_wrong_usage_is_one_line(tmp_path: Path, wrong: list[str]) -> None:
    done = run("ping", *wrong, "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_with_no_node_it_says_so(tmp_path: Path) -> None:
    done = run("ping", "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "no node is running" in done.stderr
