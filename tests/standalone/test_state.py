from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tribler_multicast.standalone import state as state_module
from tribler_multicast.standalone.state import StateDir, StateError

from ..hostile_disk import kill, run, run_on_small_disk, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN = "from tribler_multicast.standalone.state import StateDir, StateError\nstate = StateDir(folder)\n"
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and signals")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    state = StateDir(tmp_path / "state")
    yield state
    state.close()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def one_line(error: pytest.ExceptionInfo[StateError]) -> str:
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message


@posix
def test_directory_is_made_with_its_parents_for_its_owner_only(tmp_path: Path) -> None:
    StateDir(tmp_path / "a" / "b").close()
    assert mode(tmp_path / "a" / "b") == 0o700


@posix
def test_rights_of_a_directory_that_was_there_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    StateDir(tmp_path).close()
    assert mode(tmp_path) == 0o755


@posix
def test_every_file_is_readable_by_its_owner_only_whatever_the_umask(state: StateDir) -> None:
    before = os.umask(0)
    try:
        state.identity()
        state.next_epoch()
        state.save_settings({"nickname": "x"})
        state.write_api("http://127.0.0.1:1", "key", "page")
    finally:
        os.umask(before)
    files = [file for file in state.path.iterdir() if file.name != "lock"]
    assert len(files) == 4
    assert {mode(file) for file in files} == {0o600}


@pytest.mark.parametrize("name", ["file", "file/below", "file/far/below"])
def test_path_at_or_below_a_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StateError) as error:
        StateDir(tmp_path / name)
    assert "file" in one_line(error)


def test_second_process_is_told_who_has_the_directory(state: StateDir) -> None:
    second = run("from tribler_multicast.standalone.state import StateDir, StateError\n"
                 "try:\n    StateDir(folder)\nexcept StateError as error:\n    print(error)\n", state.path)
    assert second.returncode == 0, second.stderr
    assert second.stdout == f"the state directory {state.path} is in use by process {os.getpid()}\n"


def test_second_process_leaves_the_files_of_the_first_alone(state: StateDir) -> None:
    state.write_api("http://127.0.0.1:1", "key", "page")
    assert run(OPEN, state.path).returncode != 0
    assert StateDir.read_api(state.path) == {"url": "http://127.0.0.1:1", "key": "key", "page": "page"}


def test_directory_is_refused_while_a_second_process_has_it_and_free_once_that_was_killed(tmp_path: Path) -> None:
    other = start(OPEN + "print('open', flush=True)\nsys.stdin.read()\n", tmp_path)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StateError) as error:
            StateDir(tmp_path)
        assert f"in use by process {other.pid}" in one_line(error)
    finally:
        kill(other)
    StateDir(tmp_path).close()


def test_directory_is_not_held_by_programs_the_node_started(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, close_fds=False)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        state.close()
        StateDir(tmp_path).close()
    finally:
        child.kill()
        child.communicate(timeout=10)


def test_same_process_cannot_open_it_twice_and_can_again_after_close(tmp_path: Path) -> None:
    first = StateDir(tmp_path)
    with pytest.raises(StateError):
        StateDir(tmp_path)
    first.close()
    first.close()
    StateDir(tmp_path).close()


def test_nothing_is_written_after_close(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.close()
    with pytest.raises(StateError) as error:
        state.save_settings({})
    assert "closed" in one_line(error)
    assert not (tmp_path / "settings.json").exists()


def test_identity_is_a_curve25519_key_and_stays_the_same(tmp_path: Path) -> None:
    keys = []
    for _ in range(3):
        state = StateDir(tmp_path)
        keys += [state.identity().key_to_bin(), state.identity().key_to_bin()]
        state.close()
    assert len(set(keys)) == 1
    state = StateDir(tmp_path)
    public = state.identity().pub()
    assert len(public.key_to_bin()) == 74
    assert public.verify(state.identity().signature(b"hello"), b"hello")
    state.close()


def test_two_directories_have_two_identities(tmp_path: Path) -> None:
    one, two = StateDir(tmp_path / "1"), StateDir(tmp_path / "2")
    assert one.identity().key_to_bin() != two.identity().key_to_bin()
    one.close()
    two.close()


@examples(max_examples=150, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_identity_with_any_damage_is_refused_and_left_as_it_is(state: StateDir, data: st.DataObject) -> None:
    file = state.path / "identity.key"
    file.unlink(missing_ok=True)
    key = state.identity().key_to_bin()
    good = file.read_bytes()
    kind = data.draw(st.sampled_from(["cut", "flip", "garbage"]))
    if kind == "cut":
        damaged = good[:data.draw(st.integers(0, len(good) - 2))]
    elif kind == "flip":
        place = data.draw(st.integers(0, len(good) - 2))
        damaged = good[:place] + bytes([good[place] ^ (1 << data.draw(st.integers(0, 7)))]) + good[place + 1:]
    else:
        damaged = data.draw(st.binary(max_size=400))
    file.write_bytes(damaged)
    try:
        assert state.identity().key_to_bin() == key  # an upper-case hex digit is no damage
    except StateError as error:
        assert "identity.key is damaged" in str(error)
        assert "\n" not in str(error)
    assert file.read_bytes() == damaged


def test_identity_in_an_endless_file_is_refused(state: StateDir) -> None:
    (state.path / "identity.key").write_bytes(bytes(1 << 20))
    with pytest.raises(StateError) as error:
        state.identity()
    assert "damaged" in one_line(error)


def test_identity_that_cannot_be_read_is_not_replaced(state: StateDir) -> None:
    (state.path / "identity.key").mkdir()
    with pytest.raises(StateError) as error:
        state.identity()
    assert "cannot read" in one_line(error)


@posix
def test_identity_that_came_back_from_a_backup_is_closed_again(state: StateDir) -> None:
    state.identity()
    (state.path / "identity.key").chmod(0o644)
    state.identity()
    assert mode(state.path / "identity.key") == 0o600


def test_epoch_rises_at_each_start_and_follows_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs = []
    # Two starts in one second, a clock set back a year, a clock that is right again.
    for now in (1_700_000_000.9, 1_700_000_000.95, 1_670_000_000.0, 1_800_000_000.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        state = StateDir(tmp_path)
        epochs.append(state.next_epoch())
        state.close()
    assert epochs == [1_700_000_000, 1_700_000_001, 1_700_000_002, 1_800_000_000]


@pytest.mark.parametrize("content", [b"", b"\0" * 10, b"nonsense", b"-5", b"9" * 5000, b"\xff\xfe", b"1e9",
                                     b"%d" % 2**63])
def test_unreadable_epoch_is_replaced_by_the_clock(state: StateDir, content: bytes) -> None:
    (state.path / "epoch").write_bytes(content)
    before = int(time.time())
    assert before <= state.next_epoch() <= time.time()
    assert before < state.next_epoch() <= time.time() + 2


def test_epoch_is_on_the_disk_before_it_is_returned(state: StateDir) -> None:
    epoch = state.next_epoch()
    assert int((state.path / "epoch").read_text()) == epoch


def test_epoch_that_cannot_be_kept_is_an_error(state: StateDir) -> None:
    (state.path / "epoch").mkdir()
    with pytest.raises(StateError) as error:
        state.next_epoch()
    assert "epoch" in one_line(error)


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    values = {"nickname": "Müller \U0001f600", "interfaces": ["eth0", "Ethernet 2"], "ipv6": False, "port": 4000}
    state = StateDir(tmp_path)
    assert state.load_settings() == {}
    state.save_settings(values)
    state.close()
    state = StateDir(tmp_path)
    assert state.load_settings() == values
    state.close()


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"[]", b"null", b"3", b'"text"', b"\xff\xfe\x00",
                                     b"[" * 100_000, b'{"a": 1} {"b": 2}', b" " * 2_000_000, b"9" * 5000])
def test_damaged_settings_are_refused_with_the_name_of_the_file(state: StateDir, content: bytes) -> None:
    (state.path / "settings.json").write_bytes(content)
    with pytest.raises(StateError) as error:
        state.load_settings()
    assert "settings.json" in one_line(error)
    assert (state.path / "settings.json").read_bytes() == content


def test_api_word_is_found_by_others_until_it_is_removed(state: StateDir) -> None:
    assert StateDir.read_api(state.path) is None
    state.write_api("http://127.0.0.1:8085", "secret", "http://127.0.0.1:8085/?key=secret")
    assert StateDir.read_api(state.path) == {"url": "http://127.0.0.1:8085", "key": "secret",
                                             "page": "http://127.0.0.1:8085/?key=secret"}
    state.remove_api()
    state.remove_api()
    assert StateDir.read_api(state.path) is None


def test_api_word_of_a_killed_node_is_gone_when_the_next_one_starts(tmp_path: Path) -> None:
    killed = run(OPEN + "state.write_api('u', 'k', 'p')\ndie()\n", tmp_path)
    assert killed.returncode == -signal.SIGKILL
    assert StateDir.read_api(tmp_path) is not None
    state = StateDir(tmp_path)
    assert StateDir.read_api(tmp_path) is None
    state.close()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"url": 1, "key": "k", "page": "p"}', b"\xff",
                                     b"[" * 100_000])
def test_damaged_api_word_is_no_word(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "api.json").write_bytes(content)
    assert StateDir.read_api(tmp_path) is None


def test_no_api_word_where_there_is_no_directory(tmp_path: Path) -> None:
    assert StateDir.read_api(tmp_path / "missing") is None
    (tmp_path / "file").write_bytes(b"")
    assert StateDir.read_api(tmp_path / "file") is None


DEATHS = {
    "before anything is durable": "os.fsync = lambda file: die()",
    "before the rename": "os.replace = lambda old, new: die()",
    "after the rename": ("import tribler_multicast.durable as module\n"
                         "module.sync_folder = lambda path: die()"),
    "in the middle of the content": ("import tribler_multicast.durable as module\n"
                                     "def half(path, parts, mode):\n    [content] = parts\n"
                                     "    path.write_bytes(content[:len(content) // 2])\n"
                                     "    die()\nmodule.write_new = half"),
}


@posix
@pytest.mark.parametrize("death", DEATHS)
def test_writer_killed_at_any_step_leaves_the_old_or_the_new_file_whole(tmp_path: Path, death: str) -> None:
    state = StateDir(tmp_path)
    key, epoch = state.identity().key_to_bin(), state.next_epoch()
    state.save_settings({"nickname": "old"})
    state.close()
    for action in ("state.save_settings({'nickname': 'new'})", "state.next_epoch()"):
        killed = run(OPEN + DEATHS[death] + "\n" + action + "\n", tmp_path)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = StateDir(tmp_path)
    assert state.load_settings()["nickname"] == ("new" if death == "after the rename" else "old")
    assert state.next_epoch() > epoch
    assert state.identity().key_to_bin() == key
    state.save_settings({"nickname": "newest"})
    assert state.load_settings() == {"nickname": "newest"}
    assert not list(tmp_path.glob("*.new"))
    state.close()


@posix
@pytest.mark.parametrize("death", DEATHS)
def test_first_start_killed_at_any_step_is_followed_by_a_good_one(tmp_path: Path, death: str) -> None:
    killed = run(OPEN + DEATHS[death] + "\nstate.identity()\n", tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = StateDir(tmp_path)
    assert state.identity().key_to_bin() == state.identity().key_to_bin()
    state.close()


@posix
def test_killed_twenty_times_at_random_no_epoch_is_given_out_twice(tmp_path: Path) -> None:
    highest = 0
    for delay in range(20):
        writer = start(OPEN + "state.identity()\nwhile True:\n    print(state.next_epoch(), flush=True)\n"
                       "    state.save_settings({'nickname': 'x' * 60})\n", tmp_path)
        try:
            assert writer.stdout is not None
            first = int(writer.stdout.readline())
            time.sleep(delay / 1000)
        finally:
            rest, _ = kill(writer)
        epochs = [first] + [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        assert epochs == sorted(set(epochs))
        assert first > highest
        highest = epochs[-1]
    state = StateDir(tmp_path)
    assert state.next_epoch() > highest
    assert state.load_settings() == {"nickname": "x" * 60}
    state.close()


def test_full_disk_is_told_in_one_line_and_the_old_files_stay_whole(tmp_path: Path) -> None:
    script = OPEN + """
key, epoch = state.identity().key_to_bin(), state.next_epoch()
state.save_settings({"nickname": "old"})
fill()
for action in (state.next_epoch, lambda: state.save_settings({"nickname": "new" * 20})):
    try:
        action()
    except StateError as error:
        print(error)
assert sorted(file.name for file in folder.iterdir()) == ["epoch", "filler", "identity.key", "lock", "settings.json"]
assert state.load_settings() == {"nickname": "old"}
assert state.identity().key_to_bin() == key
(folder / "filler").unlink()
assert state.next_epoch() > epoch
"""
    result = run_on_small_disk(script, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (f"cannot write {tmp_path}/epoch: No space left on device\n"
                             f"cannot write {tmp_path}/settings.json: No space left on device\n")


def test_read_only_disk_is_told_in_one_line(tmp_path: Path) -> None:
    script = """
from tribler_multicast.standalone.state import StateDir, StateError
read_only(True)
for path in (folder, folder / "deeper"):
    try:
        StateDir(path)
    except StateError as error:
        print(error)
"""
    result = run_on_small_disk(script, tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert all("Read-only file system" in line for line in lines)


@posix
def test_what_somebody_put_in_the_way_is_replaced_and_not_followed(state: StateDir, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (state.path / "settings.json.new").symlink_to(victim)
    (state.path / "settings.json").symlink_to(victim)
    state.save_settings({"nickname": "x"})
    assert victim.read_text() == "precious"
    assert json.loads((state.path / "settings.json").read_text()) == {"nickname": "x"}


@posix
def test_lock_of_a_process_without_a_name_is_still_a_lock(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    (tmp_path / "lock").write_bytes(b"")
    with pytest.raises(StateError) as error:
        StateDir(tmp_path)
    assert "in use by another process" in one_line(error)
    state.close()


@posix
def test_socket_in_place_of_a_file_is_an_error_and_no_hang(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(state.path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as place_taker:
        place_taker.bind("settings.json")
        with pytest.raises(StateError):
            state.load_settings()


def test_pony_is_not_imported_by_settings_and_state(tmp_path: Path) -> None:
    result = run("import tribler_multicast.settings\n" + OPEN + "state.identity()\nassert 'pony' not in sys.modules\n",
                 tmp_path)
    assert result.returncode == 0, result.stderr


def test_names_of_the_files_are_the_documented_ones(state: StateDir) -> None:
    assert (state_module.SETTINGS_FILE, state_module.API_FILE) == ("settings.json", "api.json")
