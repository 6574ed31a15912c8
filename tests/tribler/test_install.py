"""
The plugin put into a tree and taken out again: byte for byte, twice as once, whatever is interrupted.
"""
from __future__ import annotations

import compileall
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast import cli
from tribler_multicast.tribler8 import install as installer
from tribler_multicast.tribler8.trees import BEGIN, InstallError, Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lan.testbed import Lan

    from .host import Tribler

ROOT = Path(__file__).resolve().parents[2]


def snapshot(tree: Path) -> dict[str, tuple[Any, ...]]:
    """What is in a tree: names, contents, modes, and times of change of the files."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(tree.rglob("*")):
        state, name = path.lstat(), str(path.relative_to(tree))
        if name.split("/", maxsplit=1)[0] != ".git":
            found[name] = (state.st_mode, state.st_mtime_ns, path.read_bytes()) if path.is_file() else (state.st_mode,)
    return found


def changes(tree: Path) -> str:
    said = subprocess.run(["git", "status", "--porcelain"], cwd=tree, capture_output=True, text=True, check=True)
    return said.stdout


@pytest.fixture
def frozen_tree(tribler_source: Path, tmp_path: Path) -> Path:
    """The layout of a build by cx_Freeze: `lib/` with compiled modules only, no sources."""
    if sys.version_info < (3, 12):
        pytest.skip("a frozen layout is made by compiling Tribler's sources, which takes Python 3.12 or newer")
    lib = tmp_path / "usr-share-tribler" / "lib"
    shutil.copytree(tribler_source / "src" / "tribler", lib / "tribler",
                    ignore=shutil.ignore_patterns("__pycache__", "ui", "test_*", "*.pyc"))
    compileall.compile_dir(lib, quiet=2, legacy=True)
    for source in lib.rglob("*.py"):
        source.unlink()
    shutil.copy(tribler_source / "src" / "run_tribler.py", lib.parent)
    compileall.compile_file(lib.parent / "run_tribler.py", quiet=2, legacy=True)
    (lib.parent / "run_tribler.py").unlink()
    return lib.parent


@pytest.fixture(params=["source", "frozen"])
def tree(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "frozen":  # a made one has no standard library of its own: that is another test
        monkeypatch.setattr("tribler_multicast.tribler8.bring.missing_in", lambda _: ([], []))
    tree: Path = request.getfixturevalue("copied_tree" if request.param == "source" else "frozen_tree")
    return tree


def test_uninstall_leaves_the_tree_as_it_was_byte_for_byte(tree: Path) -> None:
    before = snapshot(tree)
    assert installer.install(tree)["changed"] is True
    assert snapshot(tree) != before
    assert installer.uninstall(tree)["changed"] is True
    assert snapshot(tree) == before


def test_git_sees_one_changed_file_and_one_new_folder_and_afterwards_nothing(copied_tree: Path) -> None:
    installer.install(copied_tree)
    assert changes(copied_tree).splitlines() == [" M src/tribler/core/session.py",
                                                 "?? src/tribler/core/tribler_multicast/"]
    numbers = subprocess.run(["git", "diff", "--numstat"], cwd=copied_tree, capture_output=True, text=True, check=True)
    added, removed, _ = numbers.stdout.split()
    assert (int(added) <= 9, removed) == (True, "0")
    installer.uninstall(copied_tree)
    assert changes(copied_tree) == ""


@pytest.fixture
def tree_with_ui(copied_tree: Path, tribler_source: Path) -> Path:
    """A copy of the sources that has those of the user interface, too."""
    ui = Path("src", "tribler", "ui")
    shutil.copytree(tribler_source / ui, copied_tree / ui, ignore=shutil.ignore_patterns("node_modules", "dist"))
    return copied_tree


def test_the_sources_of_its_user_interface_get_the_page_and_lose_it_byte_for_byte(tree_with_ui: Path) -> None:
    before = snapshot(tree_with_ui)
    done = installer.install(tree_with_ui)
    assert (done["changed"], done["gui"]) == (True, True)
    assert "npm ci && npm run build" in done["message"]
    ui = tree_with_ui / "src" / "tribler" / "ui"
    assert (ui / "src" / "pages" / "LocalNetwork.tsx").is_file()
    once = snapshot(tree_with_ui)
    assert installer.install(tree_with_ui)["changed"] is False
    assert snapshot(tree_with_ui) == once
    (ui / "src" / "pages" / "LocalNetwork.tsx").unlink()  # as an interrupted one may leave it
    assert installer.install(tree_with_ui)["changed"] is True
    assert snapshot(tree_with_ui).keys() == once.keys()
    assert installer.uninstall(tree_with_ui)["changed"] is True
    assert snapshot(tree_with_ui) == before


def test_other_sources_of_a_user_interface_are_left_alone_and_the_plugin_comes_in(tree_with_ui: Path) -> None:
    menu = tree_with_ui / "src" / "tribler" / "ui" / "src" / "config" / "menu.ts"
    menu.write_bytes(menu.read_bytes().replace(b"/popular", b"/famous"))
    before = snapshot(tree_with_ui)
    done = installer.install(tree_with_ui)
    assert (done["changed"], done["gui"]) == (True, False)
    assert "left as they are" in done["message"]
    assert "menu.ts is not the one of Tribler 8.4.3" in done["message"]
    after = snapshot(tree_with_ui)
    assert {name for name in after if after[name] != before.get(name)} >= {"src/tribler/core/session.py"}
    assert not any(name.startswith("src/tribler/ui/") for name in after if after[name] != before.get(name))
    installer.uninstall(tree_with_ui)
    assert snapshot(tree_with_ui) == before


def test_twice_is_as_once(tree: Path) -> None:
    before = snapshot(tree)
    installer.install(tree)
    once = snapshot(tree)
    assert installer.install(tree)["changed"] is False
    assert snapshot(tree) == once
    installer.uninstall(tree)
    assert installer.uninstall(tree)["changed"] is False
    assert snapshot(tree) == before


def test_an_older_drop_in_is_upgraded(tree: Path) -> None:
    before = snapshot(tree)
    installer.install(tree)
    core = next(tree.rglob("core"))
    (core / "tribler_multicast" / "gone_since.py").write_text("old = True\n")
    (core / "tribler_multicast" / "__init__.py").write_text('"""tribler-multicast, an older one."""\n')
    session = (core / "session.py").read_bytes()
    (core / "session.py").write_bytes(session.replace(b"_attach_tribler_multicast()", b"_load_as_of_old()"))
    assert installer.install(tree)["changed"] is True
    assert not (core / "tribler_multicast" / "gone_since.py").exists()
    assert (core / "session.py").read_bytes() == session
    installer.uninstall(tree)
    assert snapshot(tree) == before


@pytest.mark.parametrize("ending", [b"", b"\n", b"\n\n", b"\r\n", b"# no newline"])
def test_however_the_file_ends_it_comes_back(copied_tree: Path, ending: bytes) -> None:
    session = copied_tree / "src" / "tribler" / "core" / "session.py"
    content = session.read_bytes().rstrip(b"\n") + ending
    session.write_bytes(content)
    installer.install(copied_tree)
    installer.uninstall(copied_tree)
    assert session.read_bytes() == content


def test_what_is_not_recognised_is_refused_and_not_touched(copied_tree: Path, tmp_path: Path) -> None:
    core = copied_tree / "src" / "tribler" / "core"

    def refused(folder: Path, words: str) -> None:
        before = snapshot(folder) if folder.is_dir() else {}
        for action in (installer.install, installer.uninstall):
            with pytest.raises(InstallError, match=words):
                action(folder)
        assert (snapshot(folder) if folder.is_dir() else {}) == before

    refused(tmp_path / "nowhere", "there is no folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no Tribler 8")
    session = (core / "session.py").read_bytes()
    (core / "session.py").write_bytes(session.replace(b"register_launchers", b"register_rockets"))
    refused(copied_tree, "session.py has no register_launchers")
    (core / "session.py").write_bytes(session + BEGIN + b" (1)\nhalf of it\n")
    refused(copied_tree, "changed by hand")
    (core / "session.py").write_bytes(session)
    (core / "tribler_multicast").mkdir()
    (core / "tribler_multicast" / "mine.txt").write_text("precious")
    refused(copied_tree, "not put there by")
    shutil.rmtree(core / "tribler_multicast")
    (core / "tribler_multicast").symlink_to(ROOT / "tribler_multicast")
    refused(copied_tree, "not put there by")


def test_a_full_disk_leaves_the_tree_as_it_was(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(tree)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("make_ready", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(installer, name, full)
            with pytest.raises(InstallError, match="No space left"):
                installer.install(tree)
        installer.uninstall(tree)
        assert snapshot(tree) == before


class Killed(BaseException):
    """What kill -9 would be, if it could be raised."""


def killed_at(step: int, action: Callable[[Path], object], tree: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run until the n-th change of the disk; was it killed there?"""
    count = 0
    make_ready = installer.make_ready

    def begun(tree: Tree) -> list[str]:
        nonlocal count
        count += 1
        if count == step:  # half of the folder is there
            (tree.new / "protocol").mkdir(parents=True)
            raise Killed
        return make_ready(tree)

    with monkeypatch.context() as patched:
        patched.setattr(installer, "make_ready", begun)
        for module, name in ((os, "rename"), (os, "replace"), (shutil, "rmtree"), (shutil, "copymode"),
                             (Path, "unlink"), (Path, "write_text"), (installer, "compile_for"),
                             (installer, "replace")):
            original = getattr(module, name)

            def stop(*args: Any, _original: Any = original, **kwargs: Any) -> Any:  # noqa: ANN401
                nonlocal count
                count += 1
                if count == step:
                    raise Killed
                return _original(*args, **kwargs)

            patched.setattr(module, name, stop)
        try:
            action(tree)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("action", ["install", "upgrade", "uninstall"])
def test_killed_at_any_step_either_command_repairs_it(tree: Path, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setattr("tribler_multicast.tribler8.bring.OPTIONAL", ())
    monkeypatch.setattr(installer.compileall, "compile_dir", lambda *_, **__: True)  # seconds, and no step of its own
    core = next(tree.rglob("core"))
    before = snapshot(core)
    installer.install(tree)
    after = {name: content[2:] for name, content in snapshot(core).items()}
    step, killed = 0, True
    while killed:
        step += 1
        if action == "install":
            installer.uninstall(tree)
        else:
            installer.install(tree)
        if action == "upgrade":
            (core / "tribler_multicast" / "__init__.py").write_text('"""tribler-multicast, an older one."""\n')
        killed = killed_at(step, installer.uninstall if action == "uninstall" else installer.install, tree, monkeypatch)
        # Whatever is there is Python that Tribler can start with.
        if (core / "session.py").exists():
            compile((core / "session.py").read_bytes(), "session.py", "exec")
        if step % 2:
            installer.uninstall(tree)
            assert snapshot(core) == before, step
        else:
            installer.install(tree)
            assert {name: content[2:] for name, content in snapshot(core).items()} == after, step
    assert step > 3


def test_a_real_kill_at_a_random_moment_is_repaired(copied_tree: Path) -> None:
    before = snapshot(copied_tree)
    generator = random.Random(4)
    command = [sys.executable, "-m", "tribler_multicast"]
    for _ in range(6):
        process = subprocess.Popen([*command, "install", str(copied_tree)], cwd=ROOT, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(generator.uniform(0.1, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        done = subprocess.run([*command, "uninstall", str(copied_tree)], cwd=ROOT, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        assert snapshot(copied_tree) == before


def test_the_commands_say_one_line_or_one_document(copied_tree: Path, tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["install", str(copied_tree), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kind"], said["changed"]) == ("source", True)
    assert "psutil" in said["brought"]
    assert cli.main(["install", str(copied_tree)]) == 0
    assert "is in place already" in capsys.readouterr().out
    assert cli.main(["uninstall", str(copied_tree)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert cli.main(["install", str(tmp_path / "nowhere")]) == 1
    said_wrong = capsys.readouterr().err
    assert said_wrong.count("\n") == 1
    assert "there is no folder" in said_wrong
    assert cli.main(["run", "--tribler", str(tmp_path / "nowhere")]) == 1


def status_of(tribler: Tribler, method: str, path: str, headers: dict[str, str]) -> int:
    connection = tribler.connection()
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def refuses_a_wrong_key_and_while_disabled_all_but_the_settings(tribler: Tribler) -> None:
    calls = [(method.upper(), path.replace("{mid}", "0" * 40))
             for path, methods in tribler.api("GET", "/docs/swagger.json")["paths"].items()
             for method in methods if path.startswith("/api/multicast/")]
    assert len(calls) >= 15
    for headers in ({}, {"X-Api-Key": "wrong"}):
        assert {call: status_of(tribler, *call, headers) for call in calls} == dict.fromkeys(calls, 401)
    tribler.rest("PATCH", "/settings", {"enabled": False})
    closed = [call for call in calls if call[1] != "/api/multicast/settings"]
    assert len(closed) == len(calls) - 2
    assert {call: status_of(tribler, *call, tribler.headers) for call in closed} == dict.fromkeys(closed, 404)
    assert status_of(tribler, "GET", "/api/multicast/settings", tribler.headers) == 200
    tribler.rest("PATCH", "/settings", {"enabled": True})
    tribler.ready()


@pytest.mark.usefixtures("needs_namespaces")
def test_an_unmodified_tree_that_is_run_with_the_plugin_has_it_all_and_stays_unmodified(
        copied_tree: Path, start: Callable[..., Tribler], house: Lan) -> None:
    node = house.machine().node("onlooker")
    tribler = start(house.machine(), "unmodified", tree=copied_tree)
    tribler.wait_local(node)
    overlay = tribler.overlay("MulticastCommunity")
    assert overlay["is_isolated"] is tribler.overlay("CodedTransferCommunity")["is_isolated"] is True
    assert node.status()["public_key"] in {peer["public_key"] for peer in overlay["peers"]}
    refuses_a_wrong_key_and_while_disabled_all_but_the_settings(tribler)
    tribler.shutdown()
    assert not tribler.complaints()
    assert changes(copied_tree) == ""


@pytest.mark.usefixtures("needs_namespaces")
def test_a_tree_with_the_drop_in_runs_with_the_plugin_and_without_it_afterwards(
        copied_tree: Path, start: Callable[..., Tribler], house: Lan) -> None:
    installer.install(copied_tree)
    machine = house.machine()
    node = house.machine().node("looker")
    with_plugin = start(machine, "dropped", tree=copied_tree, plain=True)
    with_plugin.wait_local(node)
    overlay = with_plugin.overlay("MulticastCommunity")
    assert overlay["is_isolated"] is with_plugin.overlay("CodedTransferCommunity")["is_isolated"] is True
    assert node.status()["public_key"] in {peer["public_key"] for peer in overlay["peers"]}
    assert with_plugin.api("GET", "/docs/swagger.json")["paths"]["/api/multicast/peers"]
    refuses_a_wrong_key_and_while_disabled_all_but_the_settings(with_plugin)
    with_plugin.wait_local(node)
    with_plugin.shutdown()
    assert not with_plugin.complaints()
    installer.uninstall(copied_tree)
    assert changes(copied_tree) == ""
    without = start(machine, "dropped", tree=copied_tree, plain=True)
    assert "/api/multicast/peers" not in without.api("GET", "/docs/swagger.json")["paths"]
    assert without.overlay("MulticastCommunity") == without.overlay("CodedTransferCommunity") == {}
    without.shutdown()
    assert changes(copied_tree) == ""


@pytest.mark.usefixtures("needs_namespaces")
def test_the_users_limits_are_the_same_after_install_all_actions_kill_restart_and_uninstall(
        copied_tree: Path, start: Callable[..., Tribler], house: Lan) -> None:
    machine = house.machine()
    mine = {"max_upload_rate": 1_000_000, "max_download_rate": 2_000_000, "max_connections_download": 37,
            "utp": False}
    of_download = {"upload_limit": 1_012_345, "download_limit": 1_054_321}

    def limits(tribler: Tribler) -> dict[str, Any]:
        stored = tribler.api("GET", "/api/settings")["settings"]["libtorrent"]
        session = tribler.api("GET", "/api/libtorrent/settings?hop=0")["settings"]
        found = {f"{infohash} {name}": tribler.download(infohash)[name] for infohash in known for name in of_download}
        return {**{name: stored[name] for name in mine}, **found, "in the file": tribler.configuration["libtorrent"],
                "session": {name: value for name, value in session.items() if "limit" in name or "rate" in name}}

    # The user's, before there is a plugin.
    host = start(machine, "limited", tree=copied_tree, plain=True)
    host.api("POST", "/api/settings", {"libtorrent": mine})
    own = host.share("mine.mp4", os.urandom(3_000_000))
    known = [own]
    host.wait_for(lambda: host.download(own).get("progress") == 1, 20, "seeds")
    host.api("PATCH", f"/api/downloads/{own}", of_download)
    expected = limits(host)
    assert {name: expected[name] for name in mine} == mine
    assert {name: expected[f"{own} {name}"] for name in of_download} == of_download
    assert expected["session"]["upload_rate_limit"] == 1_000_000
    assert expected["session"]["download_rate_limit"] == 2_000_000
    host.shutdown()

    installer.install(copied_tree)
    host = start(machine, "limited", tree=copied_tree, plain=True)
    neighbour = start(house.machine(), "limitless")
    host.wait_local(neighbour)
    host.wait_for(lambda: host.download(own).get("progress") == 1, 20, "the download is back")
    theirs = neighbour.share("theirs.mp4", os.urandom(3_000_000))
    host.wait_for(lambda: "torrents" in host.peer(neighbour)["capabilities"], 30, "it takes connections")
    host.rest("POST", "/downloads", {"infohash": theirs, "peer": neighbour.mid})
    host.wait_for(lambda: host.download(theirs).get("progress") == 1, 60, "downloaded")
    assert host.rest("GET", "/search?query=theirs")["results"]
    host.api("PUT", "/api/search/remote?fts_text=theirs&metadata_type=300")
    connection = host.connection(timeout=20)
    connection.request("GET", f"/api/downloads/{own}/stream/0", headers=host.headers)
    assert connection.getresponse().read(65_536)
    host.wait_for(lambda: host.rest("GET", "/activity")["class"] == "on_demand", 5, "streams")
    for kind in ("live", "bulk", "idle"):
        host.rest("PUT", "/activity", {"class": kind, "ttl": 1})
    host.rest("POST", "/ping", {"count": 1, "throughput": True})
    host.rest("PUT", f"/friends/{neighbour.mid}")
    connection.close()
    for change in ({"nickname": "x"}, {"search_local_peers": 3}, {"introduction_interval": 7}, {"enabled": False},
                   {"enabled": True}):
        host.rest("PATCH", "/settings", change)
    host.api("PATCH", f"/api/downloads/{theirs}", of_download)
    known.append(theirs)
    expected |= {f"{theirs} {name}": value for name, value in of_download.items()}
    assert limits(host) == expected
    # Tribler writes what it keeps of a download once a minute, and when it is stopped.
    host.api("PATCH", f"/api/downloads/{theirs}", {"state": "stop"})
    checkpoint = host.state / "dlcheckpoints" / f"{theirs}.conf"
    host.wait_for(lambda: str(of_download["upload_limit"]) in checkpoint.read_text(), 10, "written")
    host.kill()
    host = start(machine, "limited", tree=copied_tree, plain=True)
    host.wait_for(lambda: all(map(host.download, known)), 30, "both are back")
    assert limits(host) == expected
    host.shutdown()
    assert not host.complaints()

    installer.uninstall(copied_tree)
    assert changes(copied_tree) == ""
    host = start(machine, "limited", tree=copied_tree, plain=True)
    assert host.overlay("MulticastCommunity") == {}
    deadline = time.monotonic() + 30
    while not all(map(host.download, known)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert limits(host) == expected
    host.shutdown()
    neighbour.shutdown()


@pytest.mark.usefixtures("needs_namespaces")
def test_a_tree_of_compiled_modules_runs_with_the_plugin(
        frozen_tree: Path, start: Callable[..., Tribler], house: Lan, monkeypatch: pytest.MonkeyPatch,
        tribler_python: str) -> None:
    version = "import importlib.util as u, sys; sys.stdout.write(u.MAGIC_NUMBER.hex())"
    theirs = subprocess.run([tribler_python, "-c", version], capture_output=True, text=True, check=True).stdout
    if theirs != (frozen_tree / "run_tribler.pyc").read_bytes()[:4].hex():
        pytest.skip(f"{tribler_python} is of another version than the Python that compiled the tree")
    monkeypatch.setattr("tribler_multicast.tribler8.bring.missing_in", lambda _: ([], []))
    before = snapshot(frozen_tree)
    installer.install(frozen_tree)
    node = house.machine().node("watcher")
    tribler = start(house.machine(), "frozen", plain=True, program=str(frozen_tree / "run_tribler.pyc"),
                    path=str(frozen_tree / "lib"))
    tribler.wait_local(node)
    assert tribler.overlay("MulticastCommunity")["is_isolated"] is True
    tribler.shutdown()
    assert not tribler.complaints()
    installer.uninstall(frozen_tree)
    assert snapshot(frozen_tree) == before


@pytest.mark.usefixtures("needs_namespaces")
def test_run_on_a_tree_with_the_drop_in_loads_the_plugin_once(
        copied_tree: Path, start: Callable[..., Tribler], house: Lan) -> None:
    installer.install(copied_tree)
    tribler = start(house.machine(), "both", tree=copied_tree)
    overlays = tribler.api("GET", "/api/ipv8/overlays")["overlays"]
    names = [overlay["overlay_name"] for overlay in overlays]
    assert (names.count("MulticastCommunity"), names.count("CodedTransferCommunity")) == (1, 1)
    tribler.shutdown()


@pytest.mark.usefixtures("needs_namespaces")
def test_a_drop_in_that_is_broken_does_not_keep_tribler_from_starting(
        copied_tree: Path, start: Callable[..., Tribler], house: Lan) -> None:
    installer.install(copied_tree)
    shutil.rmtree(copied_tree / "src" / "tribler" / "core" / "tribler_multicast" / "protocol")
    tribler = start(house.machine(), "damaged", tree=copied_tree, plain=True)
    assert "tribler-multicast is not loaded" in tribler.log()
    assert tribler.overlay("ContentDiscoveryCommunity")
    tribler.shutdown()
