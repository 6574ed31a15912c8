"""
Where the index and a shared folder are in each test, and a shorter wait: what a change costs in seconds is measured by
``bench/shares.py``.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SHARES = "tribler_multicast.standalone.shares"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("reader", "indexer"):
        monkeypatch.setattr(f"{SHARES}.{module}.SETTLE", 0.05)
    monkeypatch.setattr(f"{SHARES}.roots.FOLDER_CHECK", 0.2)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sqlite" / "shares.db"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder
