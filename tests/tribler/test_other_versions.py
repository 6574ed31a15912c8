"""
A Tribler that has changed: what is missing is said in one line, and the rest works.
"""
from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lan.testbed import Lan

    from .host import Tribler


def rename(tree: Path, old: str, new: str) -> None:
    """Rename something in all of Tribler, as its authors would."""
    count = 0
    for file in (tree / "src").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        changed = re.sub(rf"\b{old}\b", new, text)
        if changed != text:
            file.write_text(changed, encoding="utf-8")
            count += 1
    assert count


@pytest.mark.usefixtures("needs_namespaces")
@pytest.mark.parametrize(("old", "line"), [
    ("get_random_peers", ("tribler-multicast works without search on the local network: "
                          "this Tribler has no ContentDiscoveryCommunity.get_random_peers; tested is Tribler 8.4.3")),
    ("topics_to_send_to_gui", "tribler-multicast works without events on /api/events"),
    ("to_fts_query", "tribler-multicast works without answers to searches"),
    ("get_downloads", "tribler-multicast works without the download manager's part"),
    ("all_checkpoints_are_loaded", "tribler-multicast works without leaving anonymous downloads out"),
])
def test_without_one_part_the_others_work(copied_tree: Path, start: Callable[..., Tribler], house: Lan, old: str,
                                          line: str) -> None:
    rename(copied_tree, old, f"{old}_of_old")
    tribler = start(house.machine(), old.replace("_", ""), tree=copied_tree)
    node = house.machine().node()
    tribler.wait_local(node)
    assert tribler.log().count(line) == 1
    assert [said for said in tribler.log().splitlines() if said.startswith("CRITICAL")] == [
        said for said in tribler.log().splitlines() if line in said]
    events = tribler.events()
    node.stop()
    events.wait_for("multicast_peer_gone", mid=node.mid)
    tribler.shutdown()
    assert not tribler.complaints()


@pytest.mark.usefixtures("needs_namespaces")
def test_without_what_keeps_anonymous_downloads_out_there_is_no_gossip(copied_tree: Path, start: Callable[..., Tribler],
                                                                       house: Lan) -> None:
    rename(copied_tree, "send_db_results", "send_results_of_the_db")
    tribler = start(house.machine(), "talkative", tree=copied_tree)
    other = start(house.machine(), "listener", tree=copied_tree)
    tribler.wait_local(other)
    infohash = tribler.share("notold.bin", os.urandom(1000))
    newcomer = start(house.machine(), "newcomer", tree=copied_tree)
    newcomer.wait_local(tribler)
    time.sleep(3)
    assert infohash not in newcomer.known_torrents()
    for one in (newcomer, other, tribler):
        one.shutdown()


@pytest.mark.usefixtures("needs_namespaces")
def test_where_there_is_nothing_to_hold_on_to_tribler_runs_without_us(copied_tree: Path, start: Callable[..., Tribler],
                                                                     house: Lan) -> None:
    rename(copied_tree, "register_launchers", "register_rockets")
    tribler = start(house.machine(), "future", tree=copied_tree)
    assert "tribler-multicast is not loaded: this Tribler has no Session.register_launchers" in tribler.log()
    assert tribler.overlay("ContentDiscoveryCommunity")
    tribler.shutdown()
