"""Probes of real routers, by sockets without any privilege."""

from __future__ import annotations

import asyncio
import json
import sys
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.lan.probes import Probes
from tribler_multicast.weather.prober import Prober
from tribler_multicast.weather.sensor import Sensor

from .testbed import ROOT
from .uplink import BACKBONE, GATEWAY, PROVIDER, SERVER, Home

if TYPE_CHECKING:
    from .testbed import Lan

NOBODY = 65534

PROBE = """
import asyncio, json, os, sys, time
from tribler_multicast.lan.probes import Probes

async def main():
    os.setgroups([])
    os.setgid(int(sys.argv[4]))
    os.setuid(int(sys.argv[4]))  # no capability is left
    answers = {}
    probes = Probes(lambda number, address, when: answers.setdefault(number, (address, when - sent[number])))
    probes.open(sys.argv[1])
    probes.destination = sys.argv[2]
    sent, asked = {}, json.loads(sys.argv[3])
    went = []
    for number, (ttl, address) in enumerate(asked):
        sent[number] = time.monotonic()
        went.append(probes.send(number, ttl, address))
        for _ in range(100):
            if number in answers or not went[-1]:
                break
            await asyncio.sleep(0.02)
    print(json.dumps([os.getuid(), probes.can_echo, went, [answers.get(number) for number in range(len(asked))]]))

asyncio.run(main())
"""


def probe(home: Home, asked: list[tuple[int | None, str | None]]
          ) -> tuple[bool, list[bool], list[tuple[str, float] | None]]:
    """
    Ask from the first machine as a user without any privilege: whether echo requests can be made, what was sent, and
    what was answered by whom within how many seconds.
    """
    machine = home.machines[0]
    said = machine.run(["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", PROBE,
                        str(machine.interfaces["eth0"].ipv4), SERVER, json.dumps(asked), str(NOBODY)])
    user, can_echo, went, answers = json.loads(said)
    assert user == NOBODY
    return can_echo, went, answers


def test_routers_on_the_way_are_found_and_timed_without_any_privilege(lan: Lan) -> None:
    home = Home(lan, 1)
    home.allow_echo(home.machines[0], allowed=False)
    can_echo, went, answers = probe(home, [(1, None), (2, None), (3, None), (None, GATEWAY)])
    assert not can_echo
    assert went == [True, True, True, False]
    assert [answer and answer[0] for answer in answers] == [GATEWAY, PROVIDER, BACKBONE, None]
    assert all(0 < answer[1] < 1 for answer in answers if answer)


def test_echo_requests_where_the_system_lets(lan: Lan) -> None:
    home = Home(lan, 1)
    home.allow_echo(home.machines[0], allowed=True)
    can_echo, _, answers = probe(home, [(None, GATEWAY), (None, PROVIDER), (None, "192.168.2.77")])
    assert can_echo
    assert [answer and answer[0] for answer in answers] == [GATEWAY, PROVIDER, None]


@pytest.mark.parametrize("echo", [True, False])
async def test_queue_at_the_gateway_is_felt_and_its_end(lan: Lan, echo: bool) -> None:
    home = Home(lan, 2)
    machine, other = home.machines
    home.allow_echo(machine, allowed=echo)
    loop, sensor = asyncio.get_running_loop(), Sensor()
    probes = Probes(lambda number, address, when: prober.answered(when, number, address))
    machine.namespace.call(probes.open, str(machine.interfaces["eth0"].ipv4), loop)
    probes.destination = SERVER
    prober = Prober(sensor, Random(1), echo=probes.can_echo)
    assert probes.can_echo == echo

    async def until(delay: float, *, more: bool) -> None:
        async with asyncio.timeout(30):
            while True:
                for each in prober.due(loop.time()):
                    probes.send(*each)
                felt = sensor.felt(loop.time()).delay
                if felt is not None and (felt > delay) == more:
                    return
                await asyncio.sleep(0.02)

    try:
        await until(0.01, more=False)
        flood = other.popen([sys.executable, "-c", (
            "import socket, time\n"
            "sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "while True:\n"
            f"    sock.sendto(bytes(1200), ('{SERVER}', 9))\n"
            "    time.sleep(0.001)\n")])
        await until(0.2, more=True)
        flood.end()
        await until(0.02, more=False)
    finally:
        probes.close()
