"""
Ten minutes of peers that come and go, Triblers and others, killed and ended well.
"""
from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lan.testbed import Lan

    from .host import Tribler

MINUTES = 10.0


@pytest.mark.soak
def test_ten_minutes_of_peers_that_come_and_go_leave_no_exception(start: Callable[..., Tribler], house: Lan) -> None:
    generator = random.Random(10)
    host = start(house.machine(), "host")
    events = host.host_events()
    other_machine, machines = house.machine(), house.machines(4)
    end = time.monotonic() + 60 * MINUTES
    first = host.memory()["rss"]
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        other = start(other_machine, "comer")
        nodes = [machine.node(introduction_interval=1) for machine in machines]
        host.wait_local(other, *nodes, timeout=30)
        infohash = other.share(f"round{rounds}.bin", os.urandom(400_000))
        host.wait_for(lambda: other.download(infohash).get("progress") == 1, 30, "seeded")  # noqa: B023
        # libtorrent listens from the first download on, and the neighbours hear of it with the next introduction.
        host.wait_for(lambda: "torrents" in host.peer(other)["capabilities"], 30, "takes connections")  # noqa: B023
        host.rest("POST", "/downloads", {"infohash": infohash})
        host.api("PUT", f"/api/search/remote?fts_text=round{rounds}&metadata_type=300")
        host.wait_for(lambda: host.download(infohash).get("progress") == 1, 60, "downloaded")  # noqa: B023
        host.rest("PATCH", "/settings", {"nickname": f"round {rounds}"})
        if generator.random() < 0.3:
            host.rest("PATCH", "/settings", {"enabled": False})
            host.rest("PATCH", "/settings", {"enabled": True})
        for one in nodes:
            if generator.random() < 0.5:
                one.kill()
            else:
                one.stop()
        if generator.random() < 0.5:
            other.kill()
        else:
            other.shutdown()
        host.wait_not_local(other, *nodes, timeout=60)
    grown = host.memory()["rss"] - first
    took = host.shutdown()
    print(f"{rounds} rounds, {len(events.received)} events, grown by {grown / 1e6:.1f} MB, shutdown {took:.2f} s")
    assert rounds > 3
    assert took < 5
    assert host.process.returncode == 0
    assert not host.complaints()
