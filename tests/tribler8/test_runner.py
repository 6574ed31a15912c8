"""
Which tree and which Python `run` takes, and what it says when there is none.
"""
from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tribler_multicast import cli
from tribler_multicast.tribler8.runner import NEEDED, PYTHON_VARIABLE, RunError, find_python, source_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for part in ("src/run_tribler.py", "src/tribler/core/session.py", "src/tribler/tribler_config.py"):
        (tmp_path / "tree" / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / part).touch()
    return tmp_path / "tree"


def python(folder: Path, version: tuple[int, int] = (3, 12), missing: tuple[str, ...] = ()) -> str:
    """A program that answers as a Python with these packages would."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "python"
    said = json.dumps({"version": version, "executable": str(program), "missing": missing})
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    return str(program)


def test_the_folder_or_its_src_is_the_tree(tree: Path) -> None:
    assert source_tree(tree) == source_tree(tree / "src") == tree.resolve()


def test_what_is_no_tree_is_named(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no folder"):
        source_tree(tmp_path / "nowhere")
    (tree / "src" / "tribler" / "core" / "session.py").unlink()
    with pytest.raises(RunError, match=r"it has no src/tribler/core/session\.py"):
        source_tree(tree)


def test_the_python_that_was_asked_for_comes_first_then_the_variable_then_the_trees_own(
        tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    own = python(tree / "venv" / "bin")
    assert find_python(tree, None) == own
    monkeypatch.setenv(PYTHON_VARIABLE, python(tmp_path / "variable"))
    assert find_python(tree, None) == python(tmp_path / "variable")
    assert find_python(tree, python(tmp_path / "asked")) == python(tmp_path / "asked")


@pytest.mark.parametrize(("version", "missing", "words"), [
    ((3, 11), (), "Tribler needs Python 3.12"),
    ((3, 12), ("libtorrent", "PIL"), "-m pip install libtorrent==2.0.13 pillow"),
    ((3, 13), ("aiohttp_apispec",), "'aiohttp_apispec>=3.0.0b1'"),
])
def test_a_python_that_will_not_do_is_refused_with_what_to_do(
        tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], version: tuple[int, int],
        missing: tuple[str, ...], words: str) -> None:
    assert set(missing) <= set(NEEDED)
    program = python(tmp_path / "wrong", version, missing)
    assert cli.main(["run", "--tribler", str(tree), "--python", program]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said
    assert program in said


def test_what_is_no_python_is_said_to_be_none(tree: Path) -> None:
    with pytest.raises(RunError, match="is no Python that works"):
        find_python(tree, "/bin/false")
    with pytest.raises(RunError, match="is no Python that works"):
        find_python(tree, f"{sys.executable}-not-there")
