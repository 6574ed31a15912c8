"""
The package takes everything along that it needs, and names itself the same everywhere.
"""
from __future__ import annotations

import ast
import fnmatch
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import tribler_multicast

TREE = Path(__file__).resolve().parents[2]
PACKAGE = TREE / "tribler_multicast"


def test_the_installed_version_is_the_one_in_the_package() -> None:
    assert version("tribler-multicast") == tribler_multicast.__version__


def test_the_command_is_installed_and_says_its_version() -> None:
    [command] = entry_points(group="console_scripts", name="tribler-multicast")
    assert command.load() is not None
    installed = str(Path(sys.executable).parent / "tribler-multicast")
    for program in ([installed], [sys.executable, "-m", "tribler_multicast"]):
        said = subprocess.run([*program, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        assert tribler_multicast.__version__ in said


NATIVE = PACKAGE / "coding" / "native"


def test_every_file_of_the_package_is_code_or_package_data() -> None:
    patterns = next(ast.literal_eval(keyword.value) for node in ast.walk(ast.parse((TREE / "setup.py").read_text()))
                    if isinstance(node, ast.Call) for keyword in node.keywords if keyword.arg == "package_data")
    data = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc", ".so") and path.parent != NATIVE]
    assert {"page/index.html", "page/local-network.js", "page/vendor/lit-html.js"} <= set(data)
    assert [name for name in data
            if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns["tribler_multicast"])] == []


def test_every_room_is_a_package() -> None:
    rooms = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [room for room in rooms if not (room / "__init__.py").exists()] == []


def test_a_source_distribution_takes_the_native_sources_along() -> None:
    sources = {path.suffix for path in NATIVE.iterdir()}
    assert sources == {".c", ".h"}
    assert "recursive-include tribler_multicast/coding/native *.c *.h" in (TREE / "MANIFEST.in").read_text()
