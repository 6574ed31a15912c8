"""
tests/in_namespace.sh runs a command as if it were not there, except that nothing gets out or stays behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .namespaces import why_not

WRAPPER = Path(__file__).resolve().parents[1] / "in_namespace.sh"

PATIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(33))
print("up", flush=True)
time.sleep(30)
"""


@pytest.fixture(autouse=True)
def possible() -> None:
    """
    Skip where no namespace can be made.
    """
    if reason := why_not():
        pytest.skip(reason)


def wrapped(*command: str, **variables: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TM_NAMESPACE")}
    return subprocess.Popen([str(WRAPPER), *command], env={**environment, **variables}, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_input_output_and_exit_status_are_those_of_the_command() -> None:
    process = wrapped("sh", "-c", 'cat; echo "$1" >&2; exit 7', "sh", "two words")
    assert process.communicate("in", timeout=10) == ("in", "two words\n")
    assert process.returncode == 7


def test_command_is_alone_with_the_loopback_interface() -> None:
    process = wrapped("sh", "-c", "ip -o link; ls /run; echo $TM_NAMESPACE")
    output, _ = process.communicate(timeout=10)
    assert output.startswith("1: lo: <LOOPBACK,UP,LOWER_UP>")
    assert output.splitlines()[1:] == ["1"]


def test_inside_it_runs_the_command_plainly() -> None:
    process = wrapped("readlink", "/proc/self/ns/net", TM_NAMESPACE="1")
    assert process.communicate(timeout=10)[0].strip() == os.readlink("/proc/self/ns/net")


def test_signal_reaches_the_command() -> None:
    process = wrapped(sys.executable, "-c", PATIENT)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 33
    process.communicate()


def test_background_processes_end_with_the_command(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    process = wrapped("sh", "-c", f"while :; do date +%s%N > {mark}; sleep 0.05; done >/dev/null 2>&1 & sleep 0.5")
    process.communicate(timeout=10)
    before = mark.read_text()
    time.sleep(0.3)
    assert mark.read_text() == before
