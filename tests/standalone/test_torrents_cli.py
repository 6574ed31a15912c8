"""
``torrent``, ``feeds``, ``downloads``, ``download`` and ``node --share`` by the command line, between real nodes.
"""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.cli import main

from .nodes import run, wait_for

if TYPE_CHECKING:
    from .conftest import StartNode

pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")

NOBODY = "ab" * 20


def test_a_film_is_made_a_torrent_and_downloaded_by_its_id(start_node: StartNode, tmp_path: Path) -> None:
    film = tmp_path / "red boat.mkv"
    film.write_bytes(b"boat" * 100_000)
    a, b = start_node("a"), start_node("b")
    at_a, at_b = (["--state-dir", str(node.state_dir)] for node in (a, b))
    done = run("torrent", str(film), "--output", str(tmp_path), *at_a)
    assert (done.returncode, done.stderr) == (0, "")
    said = dict(line.split(None, 1) for line in done.stdout.splitlines())
    infohash = said["infohash"]
    assert said == {"infohash": infohash, "name": "red boat.mkv", "size": "400 kB",
                    "magnet": f"magnet:?xt=urn:btih:{infohash}&dn=red%20boat.mkv",
                    "file": str(tmp_path / "red boat.mkv.torrent")}
    head, line = run("downloads", *at_a).stdout.splitlines()
    assert head.split() == ["STATE", "DONE", "SIZE", "DOWN", "UP", "PEERS", "LEFT", "ID", "NAME"]
    assert line.split()[:5] == ["seeding", "100", "%", "400", "kB"]
    wait_for(lambda: any(result["infohash"] == infohash for result in
                         b.call("GET", "/search?query=boat")[1]["results"]), 20)
    folder = tmp_path / "down"
    done = run("download", infohash, "--peer", a.mid, "--folder", str(folder), "--wait", *at_b)
    assert (done.returncode, done.stdout) == (0, f"{folder / film.name}\n")
    assert (folder / film.name).read_bytes() == film.read_bytes()
    assert re.search(r"^\[#{24}\] 100 %  seeding", done.stderr, re.MULTILINE)
    done = run("downloads", "limit", infohash[:6], "--up", "500k", *at_b)
    assert (done.returncode, done.stdout) == (0, f"{infohash}: up at most 500 kB/s, down without limit\n")
    done = run("downloads", "stop", infohash, "--delete", *at_b)
    assert (done.returncode, done.stdout) == (0, f"{infohash} is stopped, its data deleted\n")
    assert not (folder / film.name).exists()
    assert run("downloads", *at_b).stdout.startswith("No torrents yet.")
    document = json.loads(run("download", said["file"], "--wait", "--json", *at_b).stdout)
    assert (document["infohash"], document["state"]) == (infohash, "seeding")


def test_what_cannot_be_had_is_one_line(start_node: StartNode, tmp_path: Path) -> None:
    state = ["--state-dir", str(start_node("a").state_dir)]
    for arguments, status in ((["torrent", str(tmp_path / "none")], 1), (["downloads", "stop", NOBODY], 1),
                              (["downloads", "stop", "ab"], 1), (["download", NOBODY], 1),
                              (["feeds", "add", "http://127.0.0.1:9/"], 1), (["feeds", "add", "file:///etc"], 2),
                              (["feeds", "remove", "http://127.0.0.1:9/"], 1),
                              (["download", f"magnet:?xt=urn:btih:{NOBODY}", "--peer", NOBODY], 1)):
        done = run(*arguments, *state)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (status, "", 1), arguments
    assert run("feeds", *state).stdout.startswith("No feeds yet.")
    assert json.loads(run("feeds", "--json", *state).stdout)["feeds"] == []
    done = run("download", f"magnet:?xt=urn:btih:{NOBODY}&dn=boat", *state)
    assert (done.returncode, done.stdout) == (0, NOBODY + "\n")
    assert run("downloads", *state).stdout.splitlines()[1].split()[-2:] == [NOBODY, "boat"]


def test_what_a_node_shares_is_found_and_downloaded_by_its_file_id(start_node: StartNode, tmp_path: Path) -> None:
    share = tmp_path / "films, old and new"
    share.mkdir()
    (share / "red boat.mkv").write_bytes(b"boat" * 50_000)
    a, b = start_node("a", "--share", str(share), "--share", str(share)), start_node("b")
    assert a.call("GET", "/settings")[1]["settings"]
    found: list[dict[str, str]] = []

    def look() -> bool:
        found[:] = b.call("GET", "/search?query=boat")[1]["results"]
        return bool(found)

    wait_for(look, 20)
    done = run("download", found[0]["file_id"], "--wait", "--state-dir", str(b.state_dir), timeout=60)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.rstrip("\n")).read_bytes() == b"boat" * 50_000
    assert done.stderr.startswith(f"[{24 * '-'}]   0 %  asked for\n")


@pytest.mark.parametrize("wrong", [
    ["torrent"], ["torrent", "a", "b"], ["feeds", "add"], ["feeds", "list", "x"], ["feeds", "read"],
    ["feeds", "add", "x", "--first", "-1"], ["downloads", "list", "x"], ["downloads", "stop"], ["downloads", "limit"],
    ["downloads", "limit", NOBODY], ["downloads", "limit", NOBODY, "--up", "fast"], ["downloads", "stop", "boat"],
    ["downloads", "--delete"], ["downloads", "stop", NOBODY, "--up", "5"], ["download"], ["download", "boat"],
    ["download", "ab" * 21], ["download", NOBODY, "--peer", "x"], ["node", "--share", "/nothing/there"],
    ["node", "--share", ""], ["node", "--share", __file__]])
def test_wrong_usage_is_one_line(tmp_path: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main([*wrong, "--state-dir", str(tmp_path)])
    except SystemExit as error:  # which is how the parser ends
        status = int(error.code or 0)
    output, errors = capsys.readouterr()
    assert (status, output, len(errors.splitlines())) == (2, "", 1)
