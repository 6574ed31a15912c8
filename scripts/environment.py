"""
Makes the virtual environment ``.venv`` of this tree and installs the package into it, once.

``python scripts/environment.py [EXTRA...]`` does nothing when a finished environment is there for this tree, these
requirements and these extras, so it may run before everything. A run that was killed leaves no finished environment,
and the next one begins anew; a second run at the same time waits for the first. Needs the standard library only.
"""
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

TREE = Path(__file__).resolve().parent.parent
FOLDER = TREE / ".venv"
PYTHON = FOLDER / "bin" / "python"
# What a finished environment was made from. Not there: there is none, or one of the user's own.
STAMP = FOLDER / "tribler-multicast.json"
# There while we are at work, so that what a killed run left is known for what it is.
UNFINISHED = FOLDER / ".unfinished"
# What the tools said; also the lock. pip inherits it, so that the lock holds for as long as a pip is at work.
LOG = TREE / ".venv.log"
# When one of these changes, the package is installed again.
INPUTS = ("setup.py", "pyproject.toml", "tribler_multicast/coding/native/*.[ch]")
# How much of the log is shown on failure, in lines.
LOG_LINES = 12
# Longest wait for another run, in seconds: a first installation over a slow line takes minutes.
LOCK_TIMEOUT = 1800
# What pip says when a package has nothing for this Python or system.
NOTHING_FOR_US = "No matching distribution found for"
# What pip says when it reaches no index, whatever the reason.
NO_NETWORK = ("Temporary failure in name resolution", "Name or service not known", "Network is unreachable",
              "Connection refused", "NewConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ProxyError")
# The interpreter the environment is made from, also when an environment is active in the user's shell.
BASE_PYTHON = getattr(sys, "_base_executable", None) or sys.executable


class SetupError(Exception):
    """
    The environment cannot be made. The message is one line that says why and what to do.
    """


def say(text: str) -> None:
    """
    Tell the user what is going on; standard output is left to what is run in the environment.
    """
    print(text, file=sys.stderr, flush=True)


def clean_environment() -> dict[str, str]:
    """
    The user's environment variables (index, proxy, certificates), without those that lead pip elsewhere than here.
    """
    elsewhere = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "__PYVENV_LAUNCHER__")
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    return {**kept, "PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off"}


def run(log: IO[str] | int, *command: str | Path) -> bool:
    """
    Run a command, with what it says in the log. Whether it succeeded.
    """
    try:
        return subprocess.run([str(part) for part in command], cwd=TREE, env=clean_environment(), check=False,
                              stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT).returncode == 0
    except OSError:
        return False


def works() -> bool:
    """
    Whether the environment's Python runs and finds pip: not so when half-made, or after an upgrade of the system's.
    """
    check = "import sys, importlib.util; sys.exit(sys.version_info < (3, 11) or not importlib.util.find_spec('pip'))"
    return run(subprocess.DEVNULL, PYTHON, "-I", "-c", check)


def wanted() -> dict[str, str]:
    """
    What a finished environment must have been made from.
    """
    files = [path for pattern in INPUTS for path in sorted(TREE.glob(pattern))]
    inputs = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return {"tree": str(TREE), "inputs": inputs}


def read_stamp() -> dict[str, str]:
    """
    What the environment there was made from; nothing when that is not known.
    """
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def usable() -> bool:
    """
    Whether the environment is whole, belongs to this tree (scripts in it name their folder), and has the Python that
    was asked for with ``make PYTHON=...``.
    """
    stamp = read_stamp()
    if UNFINISHED.exists() or stamp.get("tree", str(TREE)) != str(TREE):
        return False
    if os.environ.get("PYTHON") and stamp.get("python") != os.path.realpath(BASE_PYTHON):
        return False
    return works()


def finished(extras: set[str]) -> bool:
    """
    Whether there is nothing to do.
    """
    stamp = read_stamp()
    have = set(f"{stamp.get('extras', '')} {stamp.get('without', '')}".split())
    return wanted().items() <= stamp.items() and {extra.rstrip("?") for extra in extras} <= have and usable()


def remove() -> None:
    """
    Make room for a new environment.
    """
    if FOLDER.is_symlink() or FOLDER.is_file():
        FOLDER.unlink()
    elif FOLDER.exists():
        shutil.rmtree(FOLDER)
    FOLDER.mkdir()
    UNFINISHED.touch()


def make(log: IO[str]) -> None:
    """
    Make the environment, with pip in it, in the first of the ways that works. Debian and Ubuntu have a ``venv`` without
    ``ensurepip`` unless python3-venv is installed.
    """
    venv = (BASE_PYTHON, "-m", "venv", FOLDER)
    ways: list[list[tuple[str | Path, ...]]] = [
        [venv],
        [(BASE_PYTHON, "-m", "virtualenv", "--python", BASE_PYTHON, FOLDER)],
        [("uv", "venv", "--seed", "--allow-existing", "--python", BASE_PYTHON, FOLDER)],
        [(*venv, "--without-pip"), (BASE_PYTHON, "-m", "pip", "--python", PYTHON, "install", "pip")],
    ]
    package = f"python3.{sys.version_info.minor}-venv"
    if os.geteuid() == 0:
        ways.append([("sh", TREE / "scripts" / "apt_install.sh", package), venv])
    for way in ways:
        remove()
        if all(run(log, *command) for command in way) and works():
            return
    msg = (f"{BASE_PYTHON} has no ensurepip, and there is no virtualenv, uv or pip to do without it. "
           f"Debian, Ubuntu: sudo apt install {package}")
    raise SetupError(msg)


def install(log: IO[str], extras: set[str]) -> set[str]:
    """
    Install this tree, in place, with these extras. Which of them: all but those with a question mark that have nothing
    for this Python or system.
    """
    names = {extra.rstrip("?") for extra in extras}
    what = f"{TREE}[{','.join(sorted(names))}]" if names else str(TREE)
    if run(log, PYTHON, "-m", "pip", "install", "--editable", what):
        return names
    said = LOG.read_text(encoding="utf-8", errors="replace")
    reached = not any(text in said for text in NO_NETWORK)
    needed = {extra for extra in extras if not extra.endswith("?")}
    if reached and NOTHING_FOR_US in said and needed != extras:
        left = ", ".join(sorted(extra.rstrip("?") for extra in extras - needed))
        say(f"Going on without the extra {left}: there is nothing of it for this Python and system")
        return install(log, needed)
    say("\n".join(said.rstrip().splitlines()[-LOG_LINES:]))
    why = "pip could not install what is needed" if reached \
        else "pip did not get through to its package index: check the network, then try again"
    msg = f"{why} (all it said: {LOG.name})"
    raise SetupError(msg)


def lock(log: IO[str]) -> None:
    """
    Wait until no other run is at work in this tree.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT
    told = False
    while True:
        try:
            return fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                msg = f"another make has been setting up {FOLDER.name} for {LOCK_TIMEOUT // 60} minutes: end it first"
                raise SetupError(msg) from None
            if not told:
                say(f"Another make is setting up {FOLDER.name}: waiting for it")
                told = True
            time.sleep(0.2)


def set_up(extras: set[str]) -> None:
    """
    Bring the environment up to date.
    """
    with LOG.open("a", encoding="utf-8") as log:
        lock(log)
        if finished(extras):  # by the run we waited for
            return
        log.truncate(0)
        started = time.monotonic()
        stamp = read_stamp()
        if usable():
            same = wanted().items() <= stamp.items()
            installed, without = (set(stamp.get(name, "").split() if same else ()) for name in ("extras", "without"))
            UNFINISHED.touch()
            STAMP.unlink(missing_ok=True)
            stamp = {"python": stamp.get("python", "")}
        else:
            say(f"Making {FOLDER.name} with Python {sys.version.split()[0]} ({BASE_PYTHON})")
            make(log)
            installed, without = set(), set()
            stamp = {"python": os.path.realpath(BASE_PYTHON)}
        names = {extra.rstrip("?") for extra in extras}
        say(f"Installing the package{' with its extras ' + ', '.join(sorted(names)) if names else ''} "
            "(may take a minute)")
        installed |= install(log, extras)
        without = (without | names) - installed
        STAMP.write_text(json.dumps({**stamp, **wanted(), "extras": " ".join(sorted(installed)),
                                     "without": " ".join(sorted(without))}), encoding="utf-8")
        UNFINISHED.unlink()
        say(f"Ready after {time.monotonic() - started:.0f} s")


def main() -> int:
    """
    Exit status 0 when the environment is ready, else 1 after one line that says why.
    """
    extras = set(sys.argv[1:])
    try:
        if not finished(extras):
            set_up(extras)
    except SetupError as e:
        say(f"make: {e}")
    except PermissionError as e:
        say(f"make: no permission to write {e.filename}. Made by another user? Type: sudo make clean")
    except OSError as e:
        say(f"make: {e.strerror}: {e.filename or TREE}")
    except KeyboardInterrupt:
        say("make: interrupted")
        return 130
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
