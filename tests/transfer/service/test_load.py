"""
What others send by an interface: told from what is ours, by real counters and by made ones.
"""

from __future__ import annotations

import asyncio
import socket

from tribler_multicast.transfer.service.load import LOOK_EACH, InterfaceLoad, bytes_sent

from .nodes import until

SECOND = round(1 / LOOK_EACH)


class Counter:
    """
    The kernel's count of one interface.
    """

    def __init__(self) -> None:
        self.total: int | None = 1_000_000

    def read(self, name: str) -> int | None:
        assert name == "eth7"
        return self.total

    def add(self, size: int) -> None:
        assert self.total is not None
        self.total += size


def watched() -> tuple[InterfaceLoad, Counter]:
    counter = Counter()
    return InterfaceLoad("eth7", 0.0, counter.read), counter


def test_what_is_ours_is_not_that_of_others() -> None:
    load, counter = watched()
    for look in range(1, 30):
        load.sent(100_000)
        counter.add(100_000)
        assert load.look(look * LOOK_EACH) == 0


def test_what_others_send_is_told_in_bytes_per_second() -> None:
    load, counter = watched()
    for look in range(1, 30):
        load.sent(100_000)
        counter.add(350_000)
        assert round(load.look(look * LOOK_EACH)) == 250_000 * SECOND


def test_a_queue_that_fills_and_drains_is_nobody_elses_traffic() -> None:
    load, counter = watched()
    for look in range(1, 20):
        load.sent(100_000 if look < 5 else 0)
        counter.add(50_000 if look <= 8 else 0)
        assert load.look(look * LOOK_EACH) == 0


def test_between_two_looks_the_last_one_counts() -> None:
    load, counter = watched()
    counter.add(50_000)
    assert load.look(LOOK_EACH / 2) == 0
    assert round(load.look(LOOK_EACH)) == 50_000 * SECOND


def test_an_interface_that_is_gone_or_begins_anew_has_no_traffic_of_others() -> None:
    load, counter = watched()
    counter.add(50_000_000)
    load.look(LOOK_EACH)
    counter.total = None
    assert load.look(2 * LOOK_EACH) == 0
    counter.total = 10
    assert load.look(3 * LOOK_EACH) == 0
    counter.add(70_000)
    assert round(load.look(5 * LOOK_EACH)) == 35_000 * SECOND


async def test_the_kernel_counts_what_a_program_sends() -> None:
    loop = asyncio.get_running_loop()
    load = InterfaceLoad("lo", loop.time())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        def others() -> bool:
            for _ in range(20):
                sock.sendto(bytes(1000), ("127.0.0.1", 9))
            return load.look(loop.time()) > 0

        await until(others)
    assert bytes_sent("there is none") is None
