"""
The command ``listen`` at a node whose announcements the test makes: bursts, streams that end, a restart.
"""
from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.restapi.announcements import MAX_KEPT, Announcements

from ..standalone.nodes import environment
from .conftest import KEY, make_neighbour

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tribler_multicast.restapi.events_endpoint import EventsRoom

    from .conftest import Api

PATIENCE = 20.0


class Listening:
    """
    A ``listen --json`` that runs.
    """

    def __init__(self, api: Api, process: Process) -> None:
        """
        Watch a process.
        """
        self.api = api
        self.process = process

    @property
    def room(self) -> EventsRoom:
        """
        The room of the event streams.
        """
        room: EventsRoom = self.api.community.handlers[0].__self__
        return room

    async def connected(self) -> None:
        """
        Wait until its stream is open and it asked where to begin.
        """
        async with asyncio.timeout(PATIENCE):
            while not self.room._listeners:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)

    def cut_off(self) -> None:
        """
        End its stream of events.
        """
        for listener in list(self.room._listeners):
            self.room._cut_off(listener)

    async def entries(self, number: int) -> list[dict[str, Any]]:
        """
        What it prints next.
        """
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return [json.loads(await self.process.stdout.readline()) for _ in range(number)]

    async def end(self) -> tuple[int, bytes, bytes]:
        """
        Press Ctrl-C: exit status, what else it printed, and what it said on stderr.
        """
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            output, said = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, output, said


@pytest.fixture
async def listening(api: Api, tmp_path: Path) -> AsyncIterator[Listening]:
    """
    A ``listen`` that is connected.
    """
    (tmp_path / "api.json").write_text(json.dumps({"url": api.url, "key": KEY, "page": ""}))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tribler_multicast", "listen", "--json", "--state-dir", str(tmp_path),
        env=environment(), stdout=PIPE, stderr=PIPE)
    started = Listening(api, process)
    await started.connected()
    yield started
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def test_a_burst_that_cuts_the_stream_off_is_all_printed_and_once(api: Api, listening: Listening) -> None:
    peer = make_neighbour()
    for number in range(900):
        api.community.hear(peer, number)
    assert [entry["values"] for entry in await listening.entries(900)] == [[number] for number in range(900)]
    assert await listening.end() == (0, b"", b"")


async def test_what_is_forgotten_before_it_is_read_is_said(api: Api, listening: Listening) -> None:
    peer = make_neighbour()
    for number in range(MAX_KEPT + 250):
        api.community.hear(peer, number)
    entries = await listening.entries(MAX_KEPT)
    assert [entry["seq"] for entry in entries] == list(range(251, MAX_KEPT + 251))
    assert await listening.end() == (0, b"", b"250 announcements came too fast and were missed\n")


async def test_what_comes_while_the_stream_is_interrupted_is_not_lost(api: Api, listening: Listening) -> None:
    peer = make_neighbour()
    api.community.hear(peer, "before")
    await listening.entries(1)
    listening.cut_off()
    api.community.hear(peer, "meanwhile")
    assert [entry["values"] for entry in await listening.entries(1)] == [["meanwhile"]]
    await listening.connected()
    api.community.hear(peer, "after")
    assert [entry["values"] for entry in await listening.entries(1)] == [["after"]]


async def test_a_node_that_is_back_at_the_same_address_counts_from_the_start(api: Api, listening: Listening) -> None:
    peer = make_neighbour()
    for _ in range(5):
        api.community.hear(peer, "before")
    await listening.entries(5)
    api.context.announcements = Announcements()
    api.community.announcement_handlers[:] = [api.context.announcements.received]
    listening.cut_off()
    api.community.hear(peer, "a new life")
    [entry] = await listening.entries(1)
    assert (entry["seq"], entry["values"]) == (1, ["a new life"])
    api.community.announcement_handlers[:] = [api.assembly.announcements.received]
