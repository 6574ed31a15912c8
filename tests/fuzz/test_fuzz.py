"""
Every parser that can be reached from the wire gets inputs that are nearly right: nothing raises, hangs, or eats memory.

In `make test` a moment each; `make soak ARGS="-s tests/fuzz"` does it for ten minutes in all and says how many
(`FUZZ_SECONDS` how long, `FUZZ_SEED` where to begin).
"""
from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.budget import KeyedBuckets, TokenBucket

from . import documents, overlay, services, streams, transfers
from .harness import Figure, Target, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUPS: dict[str, Callable[[], Iterator[Target]]] = {
    "parsers of the overlay": overlay.parsers, "nodes of the overlay": overlay.nodes,
    "parsers of transfers": transfers.parsers, "sessions": transfers.sessions, "documents": documents.parsers,
    "transfers of a node": services.nodes, "parsers of live streams": streams.parsers,
    "live streams": streams.sessions}
MOMENT = 0.15
"""Seconds for a target in `make test`."""


@pytest.fixture(autouse=True)
def no_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything reach the parsers: budgets are for who says it too often."""
    monkeypatch.setattr(TokenBucket, "take", lambda *_: True)
    monkeypatch.setattr(KeyedBuckets, "take", lambda *_: True)


@pytest.mark.parametrize("group", GROUPS)
def test_what_is_nearly_right_is_borne_for_a_moment(group: str) -> None:
    for target in GROUPS[group]():
        figure = run(target, MOMENT, 1)
        print(figure)
        assert figure.inputs >= 32
        assert target.alike or 0 < figure.understood < figure.inputs, f"it makes no difference: {figure}"


@pytest.mark.soak
def test_what_is_nearly_right_is_borne_for_ten_minutes() -> None:
    seed = int(os.environ.get("FUZZ_SEED", time.time()))
    targets = [target for group in GROUPS.values() for target in group()]
    each = float(os.environ.get("FUZZ_SECONDS", "600")) / sum(target.weight for target in targets)
    figures: list[Figure] = []
    for target in targets:
        figures.append(run(target, each * target.weight, seed))
        print(figures[-1])
    print(f"{sum(figure.inputs for figure in figures):,} inputs to {len(figures)} parsers, seed {seed}")
