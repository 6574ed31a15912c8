"""
What the plugin keeps beside Tribler's files.
"""
from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.tribler8.state import EPOCH_FILE, next_epoch, remove_api, transfers_folder, write_api

if TYPE_CHECKING:
    from pathlib import Path


def test_each_start_has_a_higher_epoch_also_when_the_clock_was_set_back(tmp_path: Path) -> None:
    first = next_epoch(tmp_path)
    assert first >= int(time.time()) - 1
    ahead = first + 1_000_000  # written while the clock was ahead
    (tmp_path / EPOCH_FILE).write_text(f"{ahead}\n")
    assert next_epoch(tmp_path) == ahead + 1
    assert next_epoch(tmp_path) == ahead + 2


@pytest.mark.parametrize("content", [b"", b"many", b"-5", b"9" * 40, b"\xff\xfe"])
def test_a_damaged_epoch_is_left_to_the_clock(tmp_path: Path, content: bytes) -> None:
    (tmp_path / EPOCH_FILE).write_bytes(content)
    assert abs(next_epoch(tmp_path) - time.time()) < 5


def test_a_folder_that_takes_no_file_costs_no_start(tmp_path: Path) -> None:
    assert next_epoch(tmp_path / "nowhere") > 0
    write_api(tmp_path / "nowhere", "http://127.0.0.1:1", "k")
    remove_api(tmp_path / "nowhere")


def test_word_of_the_api_is_for_the_owner_only_and_is_taken_back(tmp_path: Path) -> None:
    write_api(tmp_path, "http://127.0.0.1:8085", "secret")
    file = tmp_path / "api.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["key"] == "secret"
    remove_api(tmp_path)
    remove_api(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("in_memory", [True, False])
def test_transfers_are_kept_with_this_version_of_tribler_unless_it_keeps_nothing(tmp_path: Path,
                                                                                 in_memory: bool) -> None:
    config = SimpleNamespace(get=lambda name: in_memory if name == "memory_db" else None,
                             get_version_state_dir=lambda: str(tmp_path))
    assert transfers_folder(config) == (None if in_memory else tmp_path / "multicast-transfers")
