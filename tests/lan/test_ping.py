"""
Multicast ping between machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .node import RestError, wait_all_local

if TYPE_CHECKING:
    from .testbed import Lan


def test_of_eight_machines_one_and_all_are_pinged(lan: Lan) -> None:
    nodes = [machine.node(introduction_interval=1) for machine in lan.machines(8)]
    wait_all_local(nodes)
    asker, other, *_ = nodes
    [result] = asker.rest("POST", "/ping", {"mid": other.mid, "count": 5})["results"]
    assert (result["mid"], result["sent"], result["received"], result["loss"]) == (other.mid, 5, 5, 0)
    assert 0 < result["min_ms"] <= result["avg_ms"] <= result["max_ms"] < 500
    print(f"one: {result}")
    results = asker.rest("POST", "/ping", {"count": 3})["results"]
    assert {each["mid"] for each in results} == {node.mid for node in nodes[1:]}
    for each in results:
        print(each)
        assert (each["sent"], each["received"]) == (3, 3)
        assert 0 < each["min_ms"] < 100
        assert 0 < each["unicast_rtt_ms"] < 500
    other.kill()
    asker.wait_not_local(other, timeout=30)
    with pytest.raises(RestError) as refused:
        asker.rest("POST", "/ping", {"mid": other.mid})
    assert refused.value.status == 404


@pytest.mark.usefixtures("loss")
def test_lost_pings_are_told(lan: Lan) -> None:
    machines = lan.machines(2)
    nodes = [machine.node() for machine in machines]
    wait_all_local(nodes)
    for machine in machines:
        machine.lose(20)
    [result] = nodes[0].rest("POST", "/ping", {"mid": nodes[1].mid, "count": 40})["results"]
    print(result)
    assert 0.05 < result["loss"] < 0.75
    assert result["loss"] == (40 - result["received"]) / 40
