"""
Fixtures: `lan`, an empty testbed with one bridge, and `loss`, for tests that lose packets.

Where namespaces cannot be made the tests that need them are skipped with the reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .namespaces import why_no_loss, why_not
from .testbed import Lan

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Mark the tests of this folder, so that `-m lan` and `-m "not lan"` choose.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lan)


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[Lan]:
    """
    Yield a testbed with one bridge and no machine; everything in it is ended and removed afterwards.
    """
    if reason := why_not():
        pytest.skip(reason)
    testbed = Lan(tmp_path)
    try:
        yield testbed
    finally:
        testbed.close()


@pytest.fixture
def loss(lan: Lan) -> None:
    """
    Skip the test, with the reason, where packets cannot be made to get lost.
    """
    if reason := why_no_loss():
        pytest.skip(reason)
