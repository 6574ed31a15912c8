"""
What is offered, and where it goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .stores import Offer
from .trees import FOLDER, MIB, make, some_bytes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Offer:
    (tmp_path / "film.mkv").write_bytes(some_bytes(3 * MIB + 5))
    return Offer(tmp_path / "film.mkv")


@pytest.fixture
def folder(tmp_path: Path) -> Offer:
    return Offer(make(tmp_path / "album", FOLDER))
