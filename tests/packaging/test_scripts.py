"""
The scripts behind make: which Python is taken, what Ctrl-C does, what a failure says.
"""
from __future__ import annotations

import importlib.util
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
FIND = TREE / "scripts" / "find_python.sh"
FOREGROUND = TREE / "scripts" / "foreground.py"
TIMEOUT = 30.0


def program(path: Path, text: str) -> Path:
    """
    An executable shell script.
    """
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def find(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    """
    Look for a Python in one folder only (and the tools of the shell in another that has no Python).
    """
    return subprocess.run(["/bin/sh", str(FIND), *arguments], capture_output=True, text=True, timeout=TIMEOUT,
                          check=False, env={"PATH": str(path)})


def real_python(path: Path) -> Path:
    """
    A Python under this name that runs.
    """
    return program(path, f'exec "{sys.executable}" "$@"')


def test_the_newest_python_that_runs_is_taken_and_shims_that_do_not_are_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "python3.14", "echo 'this version is not installed' >&2; exit 127")
    program(tmp_path / "python3.13", "exit 0")
    good = real_python(tmp_path / "python3")
    found = find(path=tmp_path)
    assert (found.stdout, found.returncode) == (f"{good}\n", 0)


def test_a_python_that_was_asked_for_is_taken(tmp_path: Path) -> None:
    real_python(tmp_path / "python3")
    wanted = real_python(tmp_path / "my-python")
    assert find("my-python", path=tmp_path).stdout == f"{wanted}\n"


def test_a_python_that_was_asked_for_and_does_not_run_is_named_in_one_line(tmp_path: Path) -> None:
    real_python(tmp_path / "python3")
    for wanted in ("python2.7", str(program(tmp_path / "old", "exit 0"))):
        found = find(wanted, path=tmp_path)
        assert (found.stdout, found.returncode) == ("", 1)
        assert wanted in found.stderr
        assert found.stderr.count("\n") == 1


def test_the_environment_says_in_one_line_what_is_missing_and_is_not_taken_for_finished(tmp_path: Path) -> None:
    for name in ("setup.py", "pyproject.toml", "scripts"):
        copy = shutil.copytree if (TREE / name).is_dir() else shutil.copy
        copy(TREE / name, tmp_path / name)
    # A Python whose venv makes nothing, as on a Debian without python3-venv, and no other way either.
    hide = tmp_path / "hide"
    hide.mkdir()
    for module in ("venv", "virtualenv", "pip"):
        (hide / f"{module}.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    script = tmp_path / "scripts" / "environment.py"
    # Without apt-get and uv on PATH; PYTHONPATH would be dropped, so the modules are hidden by a wrapper of the Python.
    python = program(tmp_path / "python", f'PYTHONPATH="{hide}" exec "{sys.executable}" "$@"')
    start = (f"import runpy, sys; sys._base_executable = {str(python)!r}; sys.argv = ['environment']\n"
             f"runpy.run_path({str(script)!r}, run_name='__main__')")
    for _ in range(2):
        made = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, timeout=TIMEOUT,
                              check=False, env={"PATH": str(hide)})
        assert made.returncode == 1
        assert made.stderr.splitlines()[-1].startswith("make: ")
        assert "-venv" in made.stderr.splitlines()[-1]
        assert "Traceback" not in made.stderr


def test_an_extra_with_a_question_mark_is_left_out_where_there_is_nothing_of_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.util.module_from_spec(
        spec := importlib.util.spec_from_file_location("environment", TREE / "scripts" / "environment.py"))
    spec.loader.exec_module(module)
    log, asked = tmp_path / "log", []

    def pip(_: object, *command: object) -> bool:
        asked.append(str(command[-1]).partition("[")[2].rstrip("]"))
        log.write_text(said)
        return "torrent" not in asked[-1]

    monkeypatch.setattr(module, "run", pip)
    monkeypatch.setattr(module, "LOG", log)
    said = 'ERROR: No matching distribution found for libtorrent<2.1,>=2.0.11; extra == "torrent"'
    assert module.install(None, {"test", "torrent?"}) == {"test"}
    assert asked == ["test,torrent", "test"]
    assert capsys.readouterr().err == \
        "Going on without the extra torrent: there is nothing of it for this Python and system\n"
    with pytest.raises(module.SetupError):
        module.install(None, {"test", "torrent"})  # that one must be there
    said = "Temporary failure in name resolution\n" + said
    with pytest.raises(module.SetupError, match="check the network"):
        module.install(None, {"torrent?"})
    made = {**module.wanted(), "extras": "test", "without": "torrent"}
    monkeypatch.setattr(module, "read_stamp", lambda: made)
    monkeypatch.setattr(module, "usable", lambda: True)
    assert module.finished({"test", "torrent?"})
    assert not module.finished({"lint"})


def in_terminal(command: list[str], until: str, keys: bytes) -> tuple[int, str]:
    """
    Run a command in a terminal of its own, type keys once it has said something, and wait for its end.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    said = b""
    deadline = time.monotonic() + TIMEOUT
    typed = False
    try:
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            said += os.read(terminal, 4096)
            if not typed and until.encode() in said:
                os.write(terminal, keys)
                typed = True
    except OSError:  # Linux tells the end of a terminal's last process so
        pass
    finally:
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(terminal)
    return os.waitstatus_to_exitcode(status), said.decode()


NODE = ("import os, signal, sys, time; "
        "signal.signal(signal.SIGINT, lambda *_: (os.write(1, b'goodbye'), sys.exit(0))); "
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); "
        "print('ready', flush=True); time.sleep(60)")


def test_ctrl_c_in_make_ends_the_node_and_make_with_status_zero(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(f"run:\n\t@exec '{sys.executable}' '{FOREGROUND}' '{sys.executable}' -c"
                                       f" {json.dumps(NODE)}\n", encoding="utf-8")
    for keys in (b"\x03", b"\x1a\x03"):  # with Ctrl-Z before it too, which would leave nobody to wake the node up
        status, said = in_terminal(["make", "-C", str(tmp_path), "--no-print-directory", "run"], "ready", keys)
        assert "goodbye" in said
        assert "Error" not in said
        assert status == 0


def test_the_terminal_is_given_back_to_the_commands_that_follow() -> None:
    first = f"'{sys.executable}' '{FOREGROUND}' '{sys.executable}' -c 'print(\"ready\")'"
    status, said = in_terminal(["sh", "-c", f"{first}; read line; echo got $line; exit 5"], "ready", b"more\n")
    assert "got more" in said
    assert status == 5


def test_without_a_terminal_the_command_takes_the_place_and_gets_the_signals() -> None:
    with subprocess.Popen([sys.executable, str(FOREGROUND), sys.executable, "-c", NODE], stdout=subprocess.PIPE,
                          start_new_session=True, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(TIMEOUT) == 7
