"""
Groups with real nodes as processes: who holds the passphrase is in, and it is shown nowhere.
"""
from __future__ import annotations

import json
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from .nodes import run, run_here, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartNode
    from .nodes import RunningNode

PASSPHRASE = "correct horse battery staple"


def is_local(one: RunningNode, other: RunningNode) -> bool:
    """
    Does one list the other as local?
    """
    return bool(one.peers().get(other.mid, {}).get("is_local"))


def see_each_other(one: RunningNode, other: RunningNode) -> bool:
    """
    Do both list each other as local?
    """
    return is_local(one, other) and is_local(other, one)


def test_passphrase_by_command_line_environment_and_file_are_the_same_group(
        start_node: StartNode, tmp_path: Path) -> None:
    by_file = tmp_path / "c"
    by_file.mkdir()
    (by_file / "settings.json").write_text(json.dumps({"group_passphrase": PASSPHRASE}))
    nodes = [start_node("a", "--set", f"group_passphrase={PASSPHRASE}"),
             start_node("b", TRIBLER_MULTICAST_GROUP_PASSPHRASE=PASSPHRASE), start_node("c")]
    outsider = start_node("outsider")
    wait_for(lambda: all(see_each_other(one, other) for one in nodes for other in nodes if one is not other))
    for node in nodes:
        status = node.call("GET", "/status")[1]
        assert status["policy"] == "group"
        assert status["group"] is not None
        assert outsider.mid not in node.peers()
    assert outsider.peers() == {}
    assert outsider.call("GET", "/status")[1]["group"] is None
    wait_for(lambda: outsider.call("GET", "/status")[1]["counters"]["dropped"].get("sealed", 0) > 0)
    assert outsider.peers() == {}


def test_settings_command_changes_the_group_while_running_and_never_shows_the_passphrase(
        start_node: StartNode, tmp_path: Path) -> None:
    one, other = start_node("a", "--set", "log_level=debug"), start_node("b")
    wait_for(lambda: see_each_other(one, other))
    said = []
    for node in (one, other):
        done = run("settings", f"group_passphrase={PASSPHRASE}", "--state-dir", str(node.state_dir))
        assert done.returncode == 0, done.stderr
        said += [done.stdout, done.stderr]
        if node is one:
            wait_for(lambda: not is_local(one, other) and not is_local(other, one))
    wait_for(lambda: see_each_other(one, other))
    for arguments in (["settings"], ["settings", "--json"], ["settings", "group_passphrase"], ["status"],
                      ["status", "--json"], ["doctor"], ["peers", "--json"]):
        done = run(*arguments, "--state-dir", str(one.state_dir))
        assert done.returncode == 0, done.stderr
        said += [done.stdout, done.stderr]
    assert "policy     group" in said[-8]
    assert "group_passphrase = (set, never shown)" in said[-10]
    file = one.state_dir / "settings.json"
    assert json.loads(file.read_text())["group_passphrase"] == PASSPHRASE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    one.stop()
    said.append(one.errors.read_text())
    assert all(PASSPHRASE not in each for each in said)
    with sqlite3.connect(one.state_dir / "sqlite" / "multicast.db") as database:
        assert PASSPHRASE not in "\n".join(database.iterdump())


def test_a_secret_can_be_given_on_stdin(start_node: StartNode) -> None:
    node = start_node("a")
    done = run("settings", "group_passphrase=-", "--state-dir", str(node.state_dir), stdin=PASSPHRASE + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((node.state_dir / "settings.json").read_text())["group_passphrase"] == PASSPHRASE


@pytest.mark.parametrize("sources", ["command line", "environment", "file"])
def test_a_group_without_a_passphrase_does_not_start_and_one_line_says_why(tmp_path: Path, sources: str) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"policy": "group"} if sources == "file" else {}))
    done = run("node", "--state-dir", str(tmp_path), "--set", "interfaces=lo",
               *(["--set", "policy=group"] if sources == "command line" else []),
               **({"TRIBLER_MULTICAST_POLICY": "group"} if sources == "environment" else {}))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "passphrase" in done.stderr


def test_without_a_sealing_library_a_node_of_a_group_does_not_start_unsealed(tmp_path: Path) -> None:
    (tmp_path / "libnacl.py").write_text("raise OSError('no libsodium')\n")
    (tmp_path / "nacl.py").write_text("raise ImportError('not installed')\n")
    state = tmp_path / "state"
    for arguments, status in ((["node", "--set", f"group_passphrase={PASSPHRASE}"], 1), (["doctor"], 0)):
        done = run(*arguments, "--state-dir", str(state), first_on_path=str(tmp_path),
                   TRIBLER_MULTICAST_INTERFACES="lo")
        assert done.returncode == status, done.stderr
        if status:
            assert done.stdout == ""
            assert len(done.stderr.splitlines()) == 1
            assert "no library to seal" in done.stderr
            assert PASSPHRASE not in done.stderr
        else:
            assert "no library to seal messages with" in done.stdout


@pytest.mark.parametrize("arguments", [
    ["settings", "group_passphrase=" + "hunter2" * 200], ["settings", "group_passphrase=hunter2\x07"],
    ["node", "--set", "group_passphrase=" + "hunter2" * 200], ["node", "--set", "group_passphrase=hunter2\x07"]])
def test_a_wrong_passphrase_setting_is_told_without_repeating_it(tmp_path: Path, arguments: list[str]) -> None:
    done = run_here(*arguments, "--state-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "group_passphrase" in done.stderr
    assert "hunter2" not in done.stderr


def test_another_passphrase_says_its_one_line(start_node: StartNode) -> None:
    one = start_node("a", "--set", "group_passphrase=correct horse")
    other = start_node("b", "--set", "group_passphrase=wrong horse")
    wait_for(lambda: one.call("GET", "/status")[1]["group"]["warning"] is not None)
    status = one.call("GET", "/status")[1]["group"]
    assert status["foreign_from"] == "127.0.0.1"
    assert "another passphrase" in status["warning"]
    wait_for(lambda: one.call("GET", "/status")[1]["counters"]["dropped"].get("wrong_group", 0) > 4)
    assert one.errors.read_text().count("another passphrase") == 1
    for arguments in (["status"], ["doctor"]):
        assert "another passphrase" in run(*arguments, "--state-dir", str(one.state_dir)).stdout
    assert one.peers() == other.peers() == {}
