"""
``tribler-multicast run``: finds a Python that can run Tribler, and has it run the unmodified source tree with the
plugin.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PYTHON_VARIABLE: Final = "TRIBLER_PYTHON"
"""Environment variable: the Python to run Tribler with, where ``--python`` does not say it."""

OLDEST_PYTHON: Final = (3, 12)
"""What Tribler 8.4 is written in."""

NEEDED: Final = {
    "ipv8": "pyipv8", "aiohttp": "aiohttp", "aiohttp_apispec": "aiohttp_apispec>=3.0.0b1",
    "ipv8_rust_tunnels": "ipv8-rust-tunnels", "lz4": "lz4", "PIL": "pillow", "pony": "pony", "pystray": "pystray",
    "libtorrent": "libtorrent==2.0.13", "packaging": "packaging", "psutil": "psutil",
}
"""Module -> what pip calls it: Tribler's own requirements, and psutil, which only the plugin needs."""

PROBE = """
import importlib.util, json, sys
sys.path[:0] = sys.argv[2:]
print(json.dumps({"version": sys.version_info[:2], "executable": sys.executable,
                  "missing": [name for name in json.loads(sys.argv[1]) if importlib.util.find_spec(name) is None]}))
"""

PROBE_TIMEOUT: Final = 60.0
"""Seconds that a Python may take to say what it has."""


class RunError(Exception):
    """
    Tribler cannot be run: one line for the user.
    """


def source_tree(folder: Path) -> Path:
    """
    Check that a folder is a Tribler 8 source tree; ``DIR/src`` is taken for ``DIR``.

    :raises RunError: when it is not.
    """
    tree = folder.expanduser().resolve()
    if tree.name == "src" and (tree / "run_tribler.py").is_file():
        tree = tree.parent
    if not tree.is_dir():
        raise RunError(f"there is no folder {folder}")
    for part in ("src/run_tribler.py", "src/tribler/core/session.py", "src/tribler/tribler_config.py"):
        if not (tree / part).is_file():
            raise RunError(f"{folder} is no Tribler 8 source tree: it has no {part}")
    return tree


def find_python(tree: Path, asked: str | None) -> str:
    """
    Find the Python to run a tree with: the one asked for, ``TRIBLER_PYTHON``, the tree's own virtual environment, this
    one.

    :raises RunError: when none will do, with what is missing.
    """
    chosen = asked or os.environ.get(PYTHON_VARIABLE)
    programs = [tree / folder / program for folder in ("venv", ".venv", "src/venv")
                for program in ("bin/python", "Scripts/python.exe")]
    candidates = [chosen] if chosen else [*(str(path) for path in programs if path.is_file()), sys.executable]
    reason = ""
    for candidate in candidates:
        reason = why_not(candidate, tree)
        if not reason:
            return candidate
    raise RunError(reason)


def why_not(python: str, tree: Path) -> str:
    """
    Say why this Python cannot run the tree; empty when it can.
    """
    own = [str(tree / "pyipv8")] if (tree / "pyipv8" / "ipv8").is_dir() else []
    try:
        said = subprocess.run([python, "-I", "-c", PROBE, json.dumps(list(NEEDED)), *own],  # noqa: S603
                              capture_output=True, text=True, timeout=PROBE_TIMEOUT, check=True).stdout
        found = json.loads(said)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"{python} is no Python that works: {str(error).splitlines()[0]}"
    if tuple(found["version"]) < OLDEST_PYTHON:
        return (f"Tribler needs Python 3.12, {python} is {'.'.join(map(str, found['version']))}: "
                f"name another one with --python or {PYTHON_VARIABLE}")
    if found["missing"]:
        packages = " ".join(f"'{NEEDED[name]}'" if ">" in NEEDED[name] else NEEDED[name] for name in found["missing"])
        return (f"{python} lacks what Tribler needs: {python} -m pip install {packages} "
                f"(or name another Python with --python or {PYTHON_VARIABLE})")
    return ""


def run(folder: Path, python: str | None, arguments: Sequence[str]) -> int:
    """
    Run Tribler until it ends; return its exit status. On POSIX this process becomes Tribler.

    :raises RunError: when it cannot be started.
    """
    tree = source_tree(folder)
    command = [find_python(tree, python), str(Path(__file__).with_name("start.py")), str(tree), *arguments]
    sys.stdout.flush()
    try:
        if os.name == "posix":
            os.execvp(command[0], command)  # noqa: S606
        return subprocess.run(command, check=False).returncode  # noqa: S603
    except OSError as error:
        raise RunError(f"cannot start {command[0]}: {error.strerror}") from error
