"""
``search`` and ``streams`` by the command line, against a node that has a catalogue.
"""
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.cli_render import size_text

from .nodes import run, wait_for

if TYPE_CHECKING:
    from .conftest import StartNode

CATALOGUE_NODE = Path(__file__).resolve().parents[1] / "catalogue_node.py"
BOAT = ["torrent", "b0" * 20, "red boat \x1b[31m\u202e.mkv", 1_234_567]
FILM = ["stream", "f1" * 20, "a film", None]


def write(file: Path, results: list[list[Any]], **more: Any) -> None:  # noqa: ANN401
    """Write a catalogue, all at once."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"results": results, **more}))
    new.rename(file)


def test_what_a_neighbour_has_is_listed_for_people_and_for_programs(start_node: StartNode, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.json"
    write(catalogue, [BOAT, FILM, ["file", "f2" * 32, "red paint", 0]], libtorrent=[["127.0.0.1", 6881]])
    first = start_node("a")
    second = start_node("b", program=(str(CATALOGUE_NODE), str(catalogue)))
    wait_for(lambda: first.peers().get(second.mid, {}).get("capabilities") == ["coded", "search", "weather"])
    state = ["--state-dir", str(first.state_dir)]
    begin = time.monotonic()
    done = run("search", "red", *state, "--timeout", "20")
    assert time.monotonic() - begin < 15
    assert (done.returncode, done.stderr) == (0, "")
    head, boat, paint = done.stdout.splitlines()
    assert head.split() == ["KIND", "SIZE", "PEERS", "ID", "NAME"]
    assert boat.split() == ["torrent", "1.23", "MB", "1", "b0" * 20, "red", "boat", "[31m.mkv"]
    assert paint.split()[:3] == ["file", "0", "B"]
    done = run("search", "red", "--json", *state)
    assert [(each["kind"], each["peers"]) for each in json.loads(done.stdout)["results"]] == [
        ("torrent", [second.mid]), ("file", [second.mid])]
    done = run("streams", *state)
    assert done.stdout.splitlines()[1].split() == ["stream", "-", "1", "f1" * 20, "a", "film"]
    [stream] = json.loads(run("streams", "--json", *state).stdout)["streams"]
    assert (stream["name"], stream["size"], stream["infohash"]) == ("a film", None, "f1" * 20)
    body = json.dumps({"infohash": "b0" * 20, "peer": second.mid}).encode()
    status, answer = first.call("POST", "/downloads", body)
    assert (status, answer) == (200, {"infohash": "b0" * 20, "peers": [second.mid]})
    write(catalogue, [])
    assert run("search", "red", *state).stdout == "Nothing found.\n"
    assert run("streams", *state).stdout == "Nothing is streamed here now.\n"


@pytest.mark.parametrize("command", ["search", "streams"])
def test_alone_there_is_nothing(start_node: StartNode, command: str) -> None:
    state = ["--state-dir", str(start_node("a").state_dir)]
    arguments = ["boat"] if command == "search" else []
    done = run(command, *arguments, *state, "--json")
    assert (done.returncode, list(json.loads(done.stdout).values())) == (0, [[]])
    if command == "search":
        done = run("search", "", *state)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


@pytest.mark.parametrize("wrong", [["search"], ["search", "x", "--timeout", "0"], ["search", "x", "y"],
                                   ["streams", "x"], ["streams", "--timeout", "never"]])
def test_wrong_usage_is_one_line(tmp_path: Path, wrong: list[str]) -> None:
    done = run(*wrong, "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


@pytest.mark.parametrize("command", [["search", "x"], ["streams"]])
def test_with_no_node_it_says_so(tmp_path: Path, command: list[str]) -> None:
    done = run(*command, "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "no node is running" in done.stderr


@pytest.mark.parametrize(("size", "text"), [(None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_500, "1.5 kB"),
                                            (999_600, "1 MB"), (2**40, "1.1 TB"), (2**63, "9.22e+03 PB")])
def test_sizes_are_for_people(size: int | None, text: str) -> None:
    assert size_text(size) == text
