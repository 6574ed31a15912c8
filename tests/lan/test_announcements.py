"""
Announcements between machines: whole or not at all, never wrong, whatever gets lost on the way.
"""

from __future__ import annotations

import contextlib
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from .node import RestError, wait_all_local
from .testbed import Families

if TYPE_CHECKING:
    from .node import Node
    from .testbed import Lan

LARGEST = 256 * 1024
"""Bytes of the packed values."""

OVERHEAD = 5
"""Bytes that packed bytes take beside themselves: a tag and their length."""

SIZES = (0, 5, 6, 1000, 1400, 5000, 64 * 1024, LARGEST)
"""Packed sizes; the first is the empty tuple, the second empty bytes."""


def of_size(size: int, numbers: random.Random) -> list[Any]:
    """
    Values, as JSON has them, that take so many bytes.
    """
    return [{"hex": numbers.randbytes(size - OVERHEAD).hex()}] if size else []


def received(node: Node, since: int = 0) -> list[dict[str, Any]]:
    """
    What a node received after a number.
    """
    announcements: list[dict[str, Any]] = node.rest("GET", f"/announcements?since={since}")["announcements"]
    return announcements


def count(node: Node) -> int:
    """
    How many a node received.
    """
    last: int = node.rest("GET", f"/announcements?since={10 ** 14}")["last"]
    return last


def wait_received(nodes: list[Node], number: int, timeout: float) -> None:
    """
    Wait until each of these nodes received so many.
    """
    for node in nodes:
        node.wait_for(lambda node=node: count(node) >= number, timeout, f"announcement {number} at {node}")


@pytest.mark.parametrize("percent", [0, 2, 10])
def test_announcements_of_all_sizes_arrive_whole_at_three_machines(
        lan: Lan, percent: int, request: pytest.FixtureRequest) -> None:
    machines = lan.machines(4)
    if percent:
        request.getfixturevalue("loss")
    sender, *others = nodes = [machine.node() for machine in machines]
    wait_all_local(nodes)
    for machine in machines:
        machine.lose(percent)
    numbers = random.Random(percent)
    sent = []
    for size in SIZES:
        sent.append(of_size(size, numbers))
        begin = time.time()
        sender.rest("POST", "/announcements", {"values": sent[-1]})
        wait_received(others, len(sent), 12)
        took = [received(node, len(sent) - 1)[0]["received_at"] - begin for node in others]
        print(f"{size} bytes at {percent} % loss: whole after {', '.join(f'{seconds:.3f}' for seconds in took)} s")
    for node in others:
        entries = received(node)
        assert [entry["seq"] for entry in entries] == list(range(1, len(SIZES) + 1))
        assert {entry["mid"] for entry in entries} == {sender.mid}
        assert [entry["values"] for entry in entries] == sent
    assert received(sender) == []


@pytest.mark.soak
@pytest.mark.usefixtures("loss")
@pytest.mark.parametrize(("size", "whole"), [(64 * 1024, 99), (LARGEST, 95)])
def test_of_a_hundred_at_2_percent_loss_nearly_all_arrive_whole(lan: Lan, size: int, whole: int) -> None:
    machines = lan.machines(4)
    sender, *others = nodes = [machine.node() for machine in machines]
    wait_all_local(nodes)
    for machine in machines:
        machine.lose(2)
    values, took = of_size(size, random.Random(size)), []
    for _ in range(100):
        before, begin = [count(node) for node in others], time.time()
        sender.rest("POST", "/announcements", {"values": values})
        for node, last in zip(others, before, strict=True):
            with contextlib.suppress(TimeoutError):
                wait_received([node], last + 1, max(0.1, begin + 13 - time.time()))
        entries = [received(node, last) for node, last in zip(others, before, strict=True)]
        assert all(entry["values"] == values for each in entries for entry in each)
        if all(len(each) == 1 for each in entries):
            took.append(max(each[0]["received_at"] for each in entries) - begin)
    took.sort()
    print(f"{size} bytes: {len(took)} of 100 whole at all three, median {took[len(took) // 2]:.3f} s, "
          f"slowest {took[-1]:.3f} s")
    assert len(took) >= whole


@pytest.mark.usefixtures("loss")
def test_announcements_that_all_send_at_once_are_whole_and_come_once(lan: Lan) -> None:
    machines = lan.machines(4)
    nodes = [machine.node() for machine in machines]
    wait_all_local(nodes)
    for machine in machines:
        machine.lose(2)
    numbers = random.Random(1)
    sent = {node.mid: [of_size(size, numbers) for size in (0, 20_000, 300, 64 * 1024)] for node in nodes}
    for i in range(4):
        for node in nodes:
            node.rest("POST", "/announcements", {"values": sent[node.mid][i]})
    wait_received(nodes, 12, 12)
    for node in nodes:
        entries = received(node)
        assert len(entries) == 12
        for other in nodes:
            of_other = [entry["values"] for entry in entries if entry["mid"] == other.mid]
            assert sorted(of_other, key=str) == ([] if other is node else sorted(sent[other.mid], key=str))


def test_events_tell_of_announcements_the_largest_included(lan: Lan) -> None:
    nodes = [machine.node() for machine in lan.machines(2, Families.LINK_LOCAL)]
    wait_all_local(nodes)
    events = nodes[1].events()
    values = of_size(LARGEST, random.Random(2))
    nodes[0].rest("POST", "/announcements", {"values": values})
    _, arguments = events.wait_for("multicast_announcement", mid=nodes[0].mid)
    events.close()
    assert arguments == {"mid": nodes[0].mid, "values": values}


def test_what_is_refused_is_not_sent(lan: Lan) -> None:
    nodes = [machine.node() for machine in lan.machines(2)]
    wait_all_local(nodes)
    for values, status in ((of_size(LARGEST + 1, random.Random(3)), 422), (["x" * 4_000_000], 413), ([{}], 422)):
        with pytest.raises(RestError) as refused:
            nodes[0].rest("POST", "/announcements", {"values": values})
        assert refused.value.status == status
    nodes[0].rest("POST", "/announcements", {"values": ["after"]})
    wait_received(nodes[1:], 1, 5)
    assert [entry["values"] for entry in received(nodes[1])] == [["after"]]
