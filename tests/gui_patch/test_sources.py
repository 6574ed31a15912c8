"""
The additions to the sources of Tribler's user interface: in, out, byte for byte, and refused where they do not fit.
Where Tribler's sources are, they are these; elsewhere, files that have the lines that the additions go behind.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.tribler.host import sources as tribler_sources
from tribler_multicast.gui_patch import sources
from tribler_multicast.gui_patch.edits import EDITS, added_files
from tribler_multicast.gui_patch.sources import PatchError

if TYPE_CHECKING:
    from pathlib import Path

MENU = "src/config/menu.ts"
LOCALE = "public/locales/ru_RU.json"


def lookalike(ui: Path) -> None:
    """Write files that have what is looked for, and something around it."""
    for name, edits in EDITS.items():
        (ui / name).parent.mkdir(parents=True, exist_ok=True)
        (ui / name).write_bytes("".join(f"before {name}\n{edit.after}\nbehind\n" for edit in edits).encode())
    (ui / "package.json").write_text("{}")
    (ui / "src" / "pages").mkdir(exist_ok=True)


@pytest.fixture(params=["lookalike", "tribler"])
def ui(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "tribler" / "ui"
    if request.param == "lookalike":
        lookalike(folder)
        return folder
    try:
        real = tribler_sources() / "src" / "tribler" / "ui"
    except LookupError as error:
        pytest.skip(str(error))
    shutil.copytree(real, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    return folder


def snapshot(ui: Path) -> dict[str, tuple[bytes, int, int]]:
    return {str(path.relative_to(ui)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
            for path in sorted(ui.rglob("*")) if path.is_file()}


def patch(ui: Path, earlier: dict[str, object] | None = None) -> dict[str, object]:
    wanted = sources.plan(ui, earlier or {})
    sources.apply(ui, wanted)
    assert sources.is_done(ui, wanted)
    record: dict[str, object] = json.loads(json.dumps(wanted.record))
    return record


def test_what_was_added_is_taken_out_byte_for_byte_and_with_its_time(ui: Path) -> None:
    assert sources.find_sources(ui.parent) == ui
    before = snapshot(ui)
    record = patch(ui)
    after = snapshot(ui)
    assert {name for name in after if name not in before or after[name][0] != before[name][0]} == \
        {*EDITS, *added_files()}
    assert sources.revert(ui, record) == []
    assert snapshot(ui) == before


def test_twice_is_as_once(ui: Path) -> None:
    before = snapshot(ui)
    record = patch(ui)
    once = snapshot(ui)
    assert patch(ui, record) == record
    assert snapshot(ui) == once
    sources.revert(ui, record)
    assert sources.revert(ui, record) == []
    assert snapshot(ui) == before


def test_even_without_a_record_the_bytes_come_back(ui: Path) -> None:
    before = snapshot(ui)
    patch(ui)
    assert sources.revert(ui, {}) == []
    assert {name: content for name, (content, _, _) in snapshot(ui).items()} == \
        {name: content for name, (content, _, _) in before.items()}


def test_interrupted_after_any_file_both_ways_go_on(ui: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, replace = snapshot(ui), os.replace
    wanted = sources.plan(ui, {})
    for number in range(len(wanted.files)):
        left = iter(range(number))

        def stopping(source: Path, target: Path, left: object = left) -> None:
            if next(left, None) is None:  # type: ignore[call-overload]
                raise OSError(28, "No space left on device")
            replace(source, target)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", stopping)
            with pytest.raises(OSError, match="No space"):
                sources.apply(ui, wanted)
        again = sources.plan(ui, wanted.record)
        assert again == wanted
        if number % 2:
            sources.apply(ui, again)
            assert sources.is_done(ui, again)
        assert sources.revert(ui, wanted.record) == []
        for leftover in ui.rglob("*.new~"):
            leftover.unlink()
        assert snapshot(ui) == before


def test_additions_of_an_older_version_go_when_a_newer_one_comes(ui: Path) -> None:
    before = snapshot(ui)
    record = patch(ui)
    old = "    // what version 0 added\n"
    menu = (ui / MENU).read_bytes()
    (ui / MENU).write_bytes(menu.replace(b"\n", b"\n" + old.encode(), 1))
    known = record[MENU]
    assert isinstance(known, dict)
    known["additions"].append(old)
    newer = patch(ui, record)
    assert (ui / MENU).read_bytes() == menu
    assert sources.revert(ui, newer) == []
    assert snapshot(ui) == before


def test_lines_that_end_as_on_windows_stay_so(ui: Path) -> None:
    for name in EDITS:
        content = (ui / name).read_bytes().replace(b"\r\n", b"\n")
        (ui / name).write_bytes(content.replace(b"\n", b"\r\n"))
    before = snapshot(ui)
    record = patch(ui)
    content = (ui / MENU).read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    assert sources.revert(ui, record) == []
    assert snapshot(ui) == before


@pytest.mark.parametrize("change", [
    lambda content: content.replace(b"/popular", b"/famous"), lambda content: content + content, lambda _: b"",
], ids=["another", "twice", "empty"])
def test_what_is_not_recognised_is_refused_and_nothing_is_touched(ui: Path, change: object) -> None:
    (ui / MENU).write_bytes(change((ui / MENU).read_bytes()))  # type: ignore[operator]
    before = snapshot(ui)
    with pytest.raises(PatchError, match=r"menu\.ts is not the one of Tribler 8\.4\.3"):
        sources.plan(ui, {})
    assert snapshot(ui) == before


def test_a_missing_file_and_a_page_of_somebody_else_are_refused(ui: Path) -> None:
    (name,) = added_files()
    (ui / name).write_text("// mine")
    with pytest.raises(PatchError, match="not put there by tribler-multicast"):
        sources.plan(ui, {})
    (ui / name).unlink()
    (ui / LOCALE).unlink()
    with pytest.raises(PatchError, match="No such file"):
        sources.plan(ui, {})


def test_what_a_user_wrote_since_stays_and_what_was_changed_by_hand_is_named(ui: Path) -> None:
    record = patch(ui)
    (name,) = added_files()
    (ui / name).write_text("// mine now")
    (ui / MENU).write_bytes((ui / MENU).read_bytes() + b"// my own line\n")
    (ui / LOCALE).write_bytes((ui / LOCALE).read_bytes() * 2)
    left = sources.revert(ui, record)
    assert len(left) == 2
    assert all("was changed by hand" in line for line in left)
    assert (ui / name).read_text() == "// mine now"
    assert (ui / MENU).read_bytes().endswith(b"// my own line\n")
    assert b"LocalNetwork" not in (ui / MENU).read_bytes()


def test_a_built_user_interface_has_no_sources(tmp_path: Path) -> None:
    (tmp_path / "ui" / "dist").mkdir(parents=True)
    assert sources.find_sources(tmp_path) is None


@pytest.mark.soak
def test_npm_builds_tribler_with_the_additions(tmp_path: Path) -> None:
    """Needs npm, and what `npm ci` has put into the sources: nothing is fetched here."""
    try:
        real = tribler_sources() / "src" / "tribler" / "ui"
    except LookupError as error:
        pytest.skip(str(error))
    if shutil.which("npm") is None:
        pytest.skip("npm is missing")
    if not (real / "node_modules").is_dir():
        pytest.skip(f"there is no {real}/node_modules: npm ci in that folder makes it")
    ui = tmp_path / "ui"
    shutil.copytree(real, ui, ignore=lambda folder, _: ["dist"] if folder == str(real) else [], symlinks=True)
    patch(ui)
    said = subprocess.run(["npm", "run", "build"], cwd=ui, capture_output=True, text=True, timeout=900, check=False)
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    built = "".join(path.read_text() for path in (ui / "dist" / "assets").glob("*.js"))
    assert "/ui/multicast/local-network.js" in built
    assert "data-local-network-ip" in built
