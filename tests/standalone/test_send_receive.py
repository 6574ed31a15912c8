"""
``send`` and ``receive``: two processes and nothing else, on the loopback interface. (On real networks, with loss:
tests/lan/test_coded.py.)
"""
from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.hostile_disk import namespace
from tribler_multicast.transfer.content.source import Source

from .nodes import environment, run, run_here, wait_for
from .oneshots import PATIENCE, Lo, film, leftovers, same, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOBODY = "ab" * 32


@pytest.fixture
def lo(tmp_path: Path) -> Iterator[Lo]:
    """
    Processes that end with the test.
    """
    found = Lo(tmp_path)
    yield found
    found.close()


def content_id(path: Path) -> str:
    return Source.publish(path).content.id.hex()


def test_a_file_arrives_whole_and_both_end(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in")
    sender = lo.send(path)
    published = sender.event("published")
    assert published["content_id"] == content_id(path)
    assert json.loads(sender.lines[0][1]) == published, "the id comes first"
    receiver = lo.receive(published["content_id"], tmp_path / "result.mkv")
    done = receiver.done()
    assert (done["path"], done["name"], done["state"]) == (str(tmp_path / "result.mkv"), "film.mkv", "done")
    assert same(path, tmp_path / "result.mkv")
    assert sender.done()["finished"] == 1
    assert leftovers(tmp_path) == []


def test_two_who_wait_for_anything_get_a_folder(lo: Lo, tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    outputs = [tmp_path / "out0", tmp_path / "out1"]
    for output in outputs:
        output.mkdir()
    receivers = [lo.receive("--any", output, name=output.name) for output in outputs]
    sender = lo.send(root, "--receivers", "2")
    for receiver, output in zip(receivers, outputs, strict=True):
        assert receiver.done()["path"] == str(output / "holiday")
        assert same(root, output / "holiday")
    assert sender.done()["finished"] == 2


def test_without_json_there_is_the_id_and_the_path_and_nothing_else(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in")
    command = [sys.executable, "-m", "tribler_multicast"]
    with subprocess.Popen([*command, "send", str(path), *lo.settings], stdout=subprocess.PIPE, env=environment(),
                          stderr=subprocess.PIPE, text=True) as sender:
        try:
            assert sender.stdout is not None
            assert sender.stdout.readline() == content_id(path) + "\n"
            done = run("receive", content_id(path), "--output", str(tmp_path), *lo.settings, timeout=PATIENCE)
            assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'film.mkv'}\n")
            assert sender.wait(PATIENCE) == 0
            assert sender.stdout.read() == ""
        finally:
            sender.kill()


def test_a_bar_shows_how_far_it_is_on_a_terminal(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in")
    lo.receive(content_id(path), tmp_path)
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "tribler_multicast", "send", str(path), "--receivers", "2", *lo.settings]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal, env=environment()) as sender:
        try:
            said = b""
            while b"1 have it" not in said:
                said += os.read(screen, 65536)
            assert b"\r\x1b[K[" in said
        finally:
            sender.kill()
    os.close(screen)
    os.close(terminal)


def test_what_is_there_already_ends_at_once_with_nobody_there(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in")
    for output in (tmp_path / "result.mkv", tmp_path / "out"):
        if not output.suffix:
            output.mkdir()
        sender = lo.send(path)
        lo.receive(content_id(path), output).done()
        sender.done()
        again = lo.receive(content_id(path), output).done()
        assert again["path"] == str(output if output.suffix else output / path.name)
    (tmp_path / "result.mkv").write_bytes(b"something else")
    waiting = lo.receive(content_id(path), tmp_path / "result.mkv")
    waiting.event("started")
    sender = lo.send(path)
    assert waiting.wait(PATIENCE) == 1
    assert "exists already, and is something else" in waiting.said()
    assert sender.poll() is None


def test_a_file_that_is_there_by_other_means_is_known_by_its_bytes(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in")
    assert lo.receive(content_id(path), path).done()["path"] == str(path)


def test_a_sender_hears_of_who_had_it_all_before_and_could_not_say(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in")
    sender = lo.send(path)
    lo.receive(content_id(path), tmp_path).done()
    sender.done()
    # As if it had been killed between the last byte and its last word.
    (tmp_path / "receive.state" / "received" / f"{content_id(path)}.untold").touch()
    sender = lo.send(path)
    sender.event("progress")  # It is on the network: who has all of it waits a second for that, no more.
    lo.receive(content_id(path), tmp_path).done()
    assert sender.done()["finished"] == 1
    # By any offer, too: it is known by its bytes.
    sender = lo.send(path)
    sender.event("progress")
    lo.receive("--any", tmp_path, name="another").done()
    assert sender.done()["finished"] == 1


def test_an_interrupted_sender_says_so_and_the_next_one_finishes(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in", 4_000_000)
    receiver = lo.receive(content_id(path), tmp_path)
    sender = lo.send(path, "--set", "transfer_rate=2000000")
    wait_for(lambda: any('"active"' in line for _, line in receiver.lines), PATIENCE)
    status, said = sender.interrupt()
    assert (status, said) == (1, "tribler-multicast: interrupted\n")
    assert receiver.poll() is None
    lo.send(path, name="again").done()
    receiver.done()
    assert same(path, tmp_path / path.name)


def test_an_interrupted_receiver_goes_on_where_it_was(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in", 4_000_000)
    sender = lo.send(path, "--set", "transfer_rate=2000000")
    receiver = lo.receive(content_id(path), tmp_path)
    wait_for(lambda: any(json.loads(line)["progress"] > 0.2 for _, line in receiver.lines), PATIENCE)
    assert receiver.interrupt() == (1, "tribler-multicast: interrupted\n")
    assert leftovers(tmp_path) != []
    again = lo.receive(content_id(path), tmp_path, name="receive")
    assert again.done()["total_down"] < 3_700_000
    sender.done()
    assert same(path, tmp_path / path.name)
    assert leftovers(tmp_path) == []


def test_a_file_that_changes_while_it_is_sent_ends_it(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in", 4_000_000)
    lo.receive(content_id(path), tmp_path)
    sender = lo.send(path, "--set", "transfer_rate=1000000")
    wait_for(lambda: any('"active"' in line for _, line in sender.lines), PATIENCE)
    path.write_bytes(b"something else")
    assert sender.wait(PATIENCE) == 1
    assert "was changed" in sender.said()
    assert not (tmp_path / path.name).exists()


def test_a_disk_that_is_too_small_is_one_line(lo: Lo, tmp_path: Path) -> None:
    if not namespace():
        pytest.skip("a small disk needs Linux and the right to mount (root, or user namespaces)")
    path, small = film(tmp_path / "in", 3_000_000), tmp_path / "small"
    small.mkdir()
    lo.send(path)
    receiver = lo.receive("--any", small, prefix=lambda command: [
        *namespace(), "sh", "-c", f'mount -t tmpfs -o size=1m none "{small}" && exec "$@"', "sh", *command])
    assert receiver.wait(PATIENCE) == 1
    assert "no room on the disk" in receiver.said()
    assert len(receiver.said().splitlines()) == 1


def test_where_nothing_can_be_written_it_is_said_before_anybody_sends(lo: Lo, tmp_path: Path) -> None:
    if not namespace():
        pytest.skip("a read-only disk needs Linux and the right to mount (root, or user namespaces)")
    fixed = tmp_path / "fixed"
    fixed.mkdir()
    for output in (fixed, fixed / "film.mkv"):
        receiver = lo.receive("--any", output, name=f"receive {output.name}", prefix=lambda command: [
            *namespace(), "sh", "-c", f'mount -t tmpfs -o ro none "{fixed}" && exec "$@"', "sh", *command])
        assert receiver.wait(PATIENCE) == 1
        assert receiver.said() == ("tribler-multicast: nothing can be written to the folder "
                                   f"{fixed}: no permission, or read-only\n")


def test_two_receivers_of_one_place_are_told_apart(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in", 3_000_000)
    lo.send(path, "--set", "transfer_rate=50000")
    first = lo.receive(content_id(path), tmp_path)
    wait_for(lambda: any('"active"' in line for _, line in first.lines), PATIENCE)
    second = lo.receive(content_id(path), tmp_path, name="second")
    assert second.wait(PATIENCE) == 1
    assert "another transfer is receiving" in second.said()
    assert first.poll() is None


@pytest.mark.parametrize("arguments", [
    ["send"], ["send", "a", "b"], ["send", ""], ["send", "a", "--receivers", "0"], ["send", "a", "--set", "nothing=1"],
    ["send", "a", "--set", "ipv4"], ["receive", "--any"], ["receive", "--output", "x"],
    ["receive", "12", "--output", "x"],
    ["receive", NOBODY + "0", "--output", "x"], ["receive", NOBODY, "--any", "--output", "x"],
    ["receive", NOBODY, "--output", ""], ["receive", NOBODY, "--output", "x", "--rate", "fast"]])
def test_wrong_usage_is_one_line_and_status_2(tmp_path: Path, arguments: list[str]) -> None:
    done = run_here(*arguments, "--state-dir", str(tmp_path / "state"))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_what_cannot_be_done_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "friends").mkdir()
    (tmp_path / "friends" / "settings.json").write_text('{"policy": "friends"}')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "settings.json").write_text("{")
    path = film(tmp_path)
    for arguments, why in [
            (["send", str(tmp_path / "none")], "No such file"),
            (["send", os.devnull], ""),
            (["receive", NOBODY, "--output", str(tmp_path / "no" / "folder")], "there is no folder"),
            (["receive", NOBODY, "--output", str(path / "film")], "there is no folder"),
            (["send", str(path), "--set", "enabled=false"], "enabled"),
            (["send", str(path), "--set", "coded=false"], "coded"),
            (["send", str(path), "--set", "policy=group"], "passphrase"),
            (["send", str(path), "--state-dir", str(tmp_path / "friends")], "friends"),
            (["send", str(path), "--state-dir", str(tmp_path / "broken")], "settings.json")]:
        tail = [] if "--state-dir" in arguments else ["--state-dir", str(tmp_path / "state")]
        done = run(*arguments, *tail, TRIBLER_MULTICAST_INTERFACES="lo")
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert why in done.stderr


def test_the_group_of_the_settings_file_holds_for_a_single_send_too(lo: Lo, tmp_path: Path) -> None:
    path = film(tmp_path / "in")
    for name in ("send", "receive"):
        state = tmp_path / f"{name}.state"
        state.mkdir()
        (state / "settings.json").write_text('{"group_passphrase": "four random words here"}')
    stranger = lo.receive("--any", tmp_path / "stolen", name="stranger")
    sender = lo.send(path)
    lo.receive(content_id(path), tmp_path).done()
    sender.done()
    assert stranger.poll() is None
    assert not (tmp_path / "stolen").exists()
    assert leftovers(tmp_path) == []


def test_where_no_network_is_in_use_that_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tribler_multicast", "send", str(film(tmp_path)), "--set", "interfaces=nosuch0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()) as sender:
        try:
            assert sender.stderr is not None
            assert b"no network is in use here" in sender.stderr.readline()
        finally:
            sender.kill()


def test_a_folder_is_sent_under_its_own_name_however_it_is_written(lo: Lo, tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    sender = lo.send(root / "pictures" / "..")
    assert sender.event("published")["name"] == "holiday"


def test_how_far_hashing_is_and_what_is_left_out_is_told(lo: Lo, tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    (root / "link").symlink_to("/etc")
    os.mkfifo(root / "pipe")
    with (root / "large").open("wb") as large:
        large.truncate(40 << 30)
    command = [sys.executable, "-m", "tribler_multicast", "send", str(root), *lo.settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment()) as sender:
        try:
            assert sender.stderr is not None
            assert re.fullmatch(r"\[-+\] +\d %  hashing  [0-9.]+ .B/s  \d+ \w+ left\n", sender.stderr.readline())
        finally:
            sender.kill()
    (root / "large").unlink()
    sender = lo.send(root)
    assert sender.event("published")["left_out"] == 2
    assert json.loads(sender.lines[0][1])["event"] == "published"


def test_settings_of_the_environment_count(tmp_path: Path) -> None:
    done = run("send", str(film(tmp_path)), "--state-dir", str(tmp_path / "state"), TRIBLER_MULTICAST_CODED="false")
    assert (done.returncode, done.stderr) == (1, "tribler-multicast: the setting coded is false\n")


def test_the_parser_and_what_it_loads_stay_small() -> None:
    code = ("import sys; from tribler_multicast.cli import make_parser; make_parser(); "
            "print([name for name in sys.modules if name.startswith('tribler_multicast.') and '.cli' not in name])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True,
                          timeout=PATIENCE)
    assert done.stdout.strip() == "['tribler_multicast.settings']"
