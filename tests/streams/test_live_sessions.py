"""A live stream on a simulated LAN: everybody plays the same bytes, soon, whatever gets lost."""
from __future__ import annotations

import pytest

from tests.transfer.session_lan import MBIT

from .live_lan import LiveLan


def assert_played(lan: LiveLan) -> None:
    """See that everybody alive played all from where it began to the end, byte by byte."""
    for node in lan.nodes.values():
        if node.viewer is not None and not node.is_dead:
            assert node.first is not None
            assert node.over
            assert node.holes == 0
            assert node.played == lan.fed[node.first:]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.2])
def test_four_play_byte_by_byte_what_is_fed(loss: float) -> None:
    lan = LiveLan(4, loss=loss)
    lan.start()
    for node in lan.nodes.values():
        node.join()
    lan.run(20)
    lan.end()
    assert_played(lan)
    delays = [delay for node in lan.nodes.values() for delay in node.delays]
    print(loss, percentile(delays, 0.5), percentile(delays, 0.95), max(delays), lan.up.bytes / len(lan.fed))
    assert percentile(delays, 0.95) < 0.5
    assert lan.up.bytes < (1.2 if loss < 0.1 else 2.0) * len(lan.fed)


def test_a_source_with_hardly_more_than_the_rate_serves_four() -> None:
    lan = LiveLan(4, loss=0.02, source_link=1.1 * 4 * MBIT)
    lan.start()
    for node in lan.nodes.values():
        node.join()
    lan.run(20)
    lan.end()
    assert_played(lan)
    delays = [delay for node in lan.nodes.values() for delay in node.delays]
    print(percentile(delays, 0.5), percentile(delays, 0.95), max(delays), lan.up.bytes / len(lan.fed))
    assert percentile(delays, 0.95) < 1.0


def test_who_is_not_reached_by_multicast_gets_it_by_unicast() -> None:
    lan = LiveLan(3, loss=0.02)
    deaf = next(iter(lan.nodes.values()))
    deaf.is_deaf = True
    lan.start()
    for node in lan.nodes.values():
        node.join()
    lan.run(10)
    lan.end()
    assert_played(lan)
    late = [delay for delay, when in zip(deaf.delays, deaf.times, strict=True) if when > 4]
    print(percentile(late, 0.95))
    assert percentile(late, 0.95) < 1.0


def test_who_joins_late_begins_near_the_edge_and_soon() -> None:
    lan = LiveLan(8, loss=0.02)
    lan.start()
    for number, node in enumerate(lan.nodes.values()):
        lan.run(2.5 + number)
        lan.mark = len(lan.fed) - 700_000  # The newest picture that stands alone is 1.4 s old.
        node.join()
    lan.run(15)
    lan.end()
    assert_played(lan)
    for node in lan.nodes.values():
        print(node.times[0] - node.joined, node.first)
        assert node.times[0] - node.joined < 1.0


def test_viewers_that_are_killed_do_not_stall_the_others() -> None:
    lan = LiveLan(4, loss=0.02, source_link=1.1 * 4 * MBIT)
    lan.start()
    for node in lan.nodes.values():
        node.join()
    lan.run(5)
    for node in list(lan.nodes.values())[:2]:
        lan.kill(node)
    lan.run(15)
    lan.end()
    assert_played(lan)
    for node in list(lan.nodes.values())[2:]:
        gaps = [later - earlier for earlier, later in zip(node.times, node.times[1:], strict=False)]
        print(max(gaps[:-1]))
        assert max(gaps[:-1]) < 1.0
