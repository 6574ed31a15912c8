"""
Disks that are small, full or read-only, and processes that die: for real, each in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TIMEOUT = 60.0

# What every script starts with: sys.argv[1] is the folder to play in.
PRELUDE = """
import ctypes, errno, os, signal, sys
from pathlib import Path
folder = Path(sys.argv[1])

def fill():
    with open(folder / "filler", "wb", buffering=0) as filler:
        for size in (65536, 4096, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC

def read_only(yes):
    # mount(8) repeats options that a user namespace is not allowed to set; the call itself does not.
    libc = ctypes.CDLL(None, use_errno=True)
    remount, flag = 32, 1
    if libc.mount(None, bytes(folder), None, ctypes.c_ulong(remount | (flag if yes else 0)), None):
        raise OSError(ctypes.get_errno(), "remount")

def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""


PROBE = """
import ctypes
libc = ctypes.CDLL(None)
failed = libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) or libc.mount(None, b"/mnt", None, ctypes.c_ulong(33), None)
raise SystemExit(bool(failed))
"""


def start(script: str, folder: Path, *prefix: str) -> subprocess.Popen[str]:
    """
    Start a Python process that runs PRELUDE and the script.
    """
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([*prefix, sys.executable, "-c", PRELUDE + script, str(folder)], env=environment, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(script: str, folder: Path, *prefix: str) -> subprocess.CompletedProcess[str]:
    """
    Run such a process to its end.
    """
    process = start(script, folder, *prefix)
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def kill(process: subprocess.Popen[str]) -> tuple[str, str]:
    """
    Kill such a process and give what it had still written to its output and its errors.
    """
    process.kill()
    process.wait(TIMEOUT)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    # Not communicate(): it forgets what a readline before it read ahead.
    with process.stdin, process.stdout, process.stderr:
        return process.stdout.read(), process.stderr.read()


@cache
def namespace() -> tuple[str, ...]:
    """
    The command that gives a process mounts of its own; () where that is not allowed here.
    """
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return ()
    for command in (("unshare", "-m"), ("unshare", "-rm")):
        test = subprocess.run([*command, sys.executable, "-c", PROBE], capture_output=True, check=False,
                              timeout=TIMEOUT)
        if test.returncode == 0:
            return command
    return ()


def run_on_small_disk(script: str, folder: Path, size: str = "512k") -> subprocess.CompletedProcess[str]:
    """
    Run such a process with a file system of ``size`` on the folder, or skip the test where that is not allowed.
    """
    if not namespace():
        pytest.skip("a small disk needs Linux and the right to mount (root, or user namespaces)")
    mount = f'mount -t tmpfs -o size={size} none "$4" && exec "$@"'
    return run(script, folder, *namespace(), "sh", "-c", mount, "sh")
