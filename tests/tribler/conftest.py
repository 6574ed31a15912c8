"""
Fixtures: real Triblers in network namespaces, driven through REST only. Tribler never gets near the real network: it
would call its bootstrap servers.

They need Tribler's sources (``TRIBLER_SRC``, or ``~/tribler-src``) and a Python that has what Tribler needs
(``TRIBLER_PYTHON``, a virtual environment in the tree, or the one the tests run in).
"""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lan.namespaces import why_not
from tests.lan.testbed import Lan

from .host import Tribler, python_for, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Mark the tests of this folder, so that `-m tribler` and `-m "not tribler"` choose.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.tribler)


@pytest.fixture(scope="session")
def tribler_source() -> Path:
    """
    Return the Tribler source tree, which tests do not write to.
    """
    try:
        return sources()
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def tribler_python(tribler_source: Path) -> str:
    """
    Return the Python that can run it.
    """
    try:
        return python_for(tribler_source)
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def needs_namespaces() -> None:
    """
    Skip where no namespaces can be made: Tribler would call its bootstrap servers.
    """
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def house(needs_namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """
    Yield a LAN that all tests of a file share.
    """
    lan = Lan(tmp_path_factory.mktemp("house"))
    try:
        yield lan
    finally:
        lan.close()


@pytest.fixture(scope="module")
def start(house: Lan, tribler_source: Path, tribler_python: str) -> Iterator[Callable[..., Tribler]]:
    """
    Return what starts a Tribler: ``start(machine, name, ...)``, see `Tribler`; all are ended with the file.
    """
    started: list[Tribler] = []

    def make(machine: object, name: str, **options: object) -> Tribler:
        options.setdefault("tree", tribler_source)
        tribler = Tribler(machine, name, house.folder / name, python=tribler_python, **options)  # type: ignore[arg-type]
        started.append(tribler)
        return tribler

    try:
        yield make
    finally:
        for tribler in started:
            tribler.close()


@pytest.fixture
def copied_tree(tribler_source: Path, tmp_path: Path) -> Path:
    """
    Return a copy of the sources that may be written to: a git work tree with nothing changed, where git is there.
    """
    tree = tmp_path / "tribler"  # without user interface, documents and tests, which take most of the time and space
    left_out = shutil.ignore_patterns("__pycache__", ".git", "*.pyc", "ui", "doc", "test_*")
    shutil.copytree(tribler_source, tree, ignore=left_out)
    if shutil.which("git"):
        for command in (["init", "-q"], ["add", "-A", "-f"],
                        ["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "as it was"]):
            subprocess.run(["git", *command], cwd=tree, check=True, capture_output=True)
    return tree
