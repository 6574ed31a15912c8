"""
Bandwidth as currency on a real network: two takers and one slot, and the one that gave is served first.
"""
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .node import wait_all_local
from .test_coded import fetch, publish, transfer
from .testbed import Families

if TYPE_CHECKING:
    from pathlib import Path

    from .node import Node
    from .testbed import Lan

MB = 1_000_000
PATIENCE = 60.0
RATE = 2 * MB
"""Bytes/s that the source sends at most: the slot."""


def offered(node: Node, folder: Path, name: str, size: int) -> str:
    """Offer something new; its content id."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(os.urandom(size))
    return publish(node, folder / name)


def begun(node: Node, content_id: str, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return fetch(node, content_id, folder)


def test_two_takers_and_one_slot_the_giver_is_served_first(lan: Lan, tmp_path: Path) -> None:
    source, giver, newcomer = nodes = [
        machine.node(introduction_interval=1, transfer_rate=RATE if number == 0 else 0)
        for number, machine in enumerate(lan.machines(3, Families.IPV4))]
    wait_all_local(nodes)

    # The source takes 6 MB from the giver: both sign that.
    gift = offered(giver, tmp_path / "giver", "gift.mkv", 6 * MB)
    id_ = begun(source, gift, tmp_path / "at-source")
    source.wait_for(lambda: transfer(source, id_)["state"] == "done", PATIENCE, "the source has the gift")
    source.wait_for(lambda: source.peer(giver)["receipt_taken"] >= 6 * MB, PATIENCE, "the giver agreed")
    assert giver.peer(source)["receipt_given"] == source.peer(giver)["receipt_taken"]
    assert source.peer(giver)["credit"] >= 6 * MB
    assert source.peer(newcomer)["credit"] == 0 == giver.peer(source)["credit"]

    # Both want something of the source now, the newcomer a moment earlier.
    wanted = {each: offered(source, tmp_path / "source", f"{each.name}.mkv", 4 * MB) for each in (newcomer, giver)}
    ids = {each: begun(each, content_id, tmp_path / f"at-{each.name}") for each, content_id in wanted.items()}
    giver.wait_for(lambda: transfer(giver, ids[giver])["state"] == "done", PATIENCE, "the giver has it")
    then = transfer(newcomer, ids[newcomer])
    print(f"when the giver had all of its 4 MB, {then['total_down'] / 1e6:.2f} MB had come to the newcomer")
    assert then["state"] != "done"
    assert 0.05 * 4 * MB < then["total_down"] < 0.6 * 4 * MB
    newcomer.wait_for(lambda: transfer(newcomer, ids[newcomer])["state"] == "done", PATIENCE, "the newcomer has it too")

    # What was taken is taken off: the giver's credit is spent to a part.
    source.wait_for(lambda: 0 < source.peer(giver)["credit"] < 3 * MB, PATIENCE, "it is counted")
    source.wait_for(lambda: source.peer(newcomer)["receipt_given"] >= 4 * MB, PATIENCE, "the newcomer signed")
