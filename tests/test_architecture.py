"""The house: imports go down only, everywhere relative, so that the folder also works dropped into another package."""
from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tribler_multicast"
FLOORS = (
    {"durable", "settings", "torrents"},
    {"client", "policy"},
    {"protocol", "lan", "coding", "torrent_files"},
    {"transfer", "weather", "database"},
    {"streams"},
    {"community", "feeds"},
    {"doctor", "tracker"},
    {"control"},
    {"restapi", "page", "gui_patch"},
    {"assembly"},
    {"tribler8", "standalone"},
    {"cli_client", "cli_render"},
    {"cli_common", "cli_progress", "cli_types"},
    {"cli_announce", "cli_friends", "cli_search", "cli_send", "cli_stream", "cli_torrents", "cli_transfers",
     "cli_tribler"},
    {"cli"},
    {"__main__"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Get the rooms a module imports from, also inside functions and for type checking."""
    rooms = set()
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            rooms |= {name.partition(".")[0] for name in names}
    return rooms - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{room} imports from {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_within_the_package_are_relative(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == PACKAGE.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] not in (PACKAGE.name, "tribler")


def test_only_tribler8_knows_tribler_and_only_when_it_runs_there() -> None:
    for path in MODULES:
        if re.search(r"import_module\(.tribler\.", path.read_text(encoding="utf-8")):
            assert room_of(path) == "tribler8"
    for path in (PACKAGE / "tribler8").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Expr | ast.Assign):
                assert "import_module" not in ast.dump(node), path.name


def test_protocol_knows_no_socket_no_clock_and_no_event_loop() -> None:
    for path in (PACKAGE / "protocol").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {"socket", "time", "asyncio", "threading"} & set(names), path.name


def test_weather_knows_no_socket_no_clock_and_no_event_loop() -> None:
    for path in (PACKAGE / "weather").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {"socket", "time", "asyncio", "threading"} & set(names), path.name


def test_folder_works_inside_another_package(tmp_path: Path) -> None:
    core = tmp_path / "tribler" / "core"
    core.mkdir(parents=True)
    for folder in (core.parent, core):
        (folder / "__init__.py").touch()
    (core / PACKAGE.name).symlink_to(PACKAGE)
    code = ("from tribler.core.tribler_multicast.community.multicast import MulticastCommunity\n"
            "from tribler.core.tribler_multicast.restapi.endpoint import MulticastEndpoint\n"
            "from tribler.core.tribler_multicast.database import PeerDatabase\n"
            "import sys; assert 'tribler_multicast' not in sys.modules\n"
            "print(MulticastCommunity.__module__)\n")
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, text=True,
                          capture_output=True, check=False, timeout=60)
    assert said.stdout.strip() == "tribler.core.tribler_multicast.community.multicast", said.stderr
