"""
What the defence against members who pollute costs as long as nobody does: processor time and bytes of a session with
nothing but its MACs, beside the same with evidence kept (as always), and with every packet checked (`untrusted`).

    python -m bench.defence [--size 32] [--loss 0.02] [--rounds 7] [--json]

One process, one pinned core, the three in turn, so that whatever else the machine does troubles all of them alike; the
least of all rounds counts. A receiver's time has MACs, decoding, and SHA-256 of the segments in it, as
`bench.session_speed`; the source's in checked mode the making of checksums for one receiver.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from tests.transfer.coop_lan import CONTENT_ID, SOURCE
from tests.transfer.session_lan import CONTROL, MEBIBYTE, REAL_SYMBOL, TAG, Content
from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.session.cooperation import Cooperation, SourceCooperation
from tribler_multicast.transfer.session.events import AllStored, SegmentReady
from tribler_multicast.transfer.session.kernels import BEST
from tribler_multicast.transfer.session.limits import FRAME

from .common import Report, main, on_core, say
from .session_speed import NAME, Run

if TYPE_CHECKING:
    from tribler_multicast.transfer.session.events import Event

MID = NAME.ljust(20, b"\0")
LIMIT = 1.01
"""Of processor time and bytes, with nobody who attacks."""


class Defended(Run):
    """
    The same with cooperation at both ends, nobody else being there.
    """

    def __init__(self, content: Content, loss: float, mode: str) -> None:
        """
        :param mode: `MACs`: what a packet is, is not asked; `evidence`: once a segment is wrong; `checked`: always.
        """
        super().__init__(content, BEST, loss)
        self.mode = mode
        self.sums = 0
        self.coop = Cooperation(self.receiver, CONTENT_ID, MID, port=1, random=self.random, now=0.0, source=SOURCE,
                                checked=mode == "checked")
        if mode == "MACs":
            self.receiver.checks = None
        self.source = SourceCooperation(self.sender, CONTENT_ID)
        self.sender.members[MID] = self.sender.members[NAME]

    def arrive(self, length: int, size: int) -> None:
        """
        Do what a receiver does, and carry what it says.
        """
        if length:
            self.receiver.batch_received(memoryview(self.buffer)[:length], size, length // size, self.now)
        self.receiver.run_timers(self.now)
        for event in self.receiver.take_events():
            self._happened(event)
        self.is_done = self.is_done or any(isinstance(event, AllStored) for event in self.receiver.take_events())
        if self.mode == "checked":
            self._check()

    def _happened(self, event: Event) -> None:
        if isinstance(event, SegmentReady):
            self.receiver.stored(event.segment, bool(self.tree.check(event.segment, event.data)))
        elif isinstance(event, AllStored):
            self.is_done = True

    def _check(self) -> None:
        checks, now = self.coop.checks, self.now
        alarm = checks.alarm(self.receiver.front, self.receiver.open_segments, now)
        if alarm is not None:
            self._ask(alarm)

    def _ask(self, alarm: bytes) -> None:
        """
        Have the source make checksums: its time is not the receiver's.
        """
        begin = time.process_time()
        self.sums += len(alarm) + CONTROL + FRAME
        self.source.message_received(MID, Kind.ALARM, alarm, self.now)
        self.source.take_messages(self.now)
        for segment in self.source.wanted():
            self.source.give(segment, self.content.segments[segment])
        messages = [payload for _, kind, payload in self.source.take_messages(self.now) if kind == Kind.SUMS]
        spent = time.process_time() - begin
        self.sending += spent
        self.receiving -= spent
        for payload in messages:
            self.sums += len(payload) + CONTROL + FRAME
            self.coop.message_received(SOURCE, Kind.SUMS, payload, self.now)


def bench(options: argparse.Namespace) -> Report:
    """
    Measure it.
    """
    report = Report("defence")
    content = Content(options.size * MEBIBYTE, REAL_SYMBOL)
    least: dict[tuple[str, str], float] = {}
    runs: dict[str, Defended] = {}
    with on_core(0):
        for number in range(options.rounds):
            say(f"defence: round {number + 1} of {options.rounds}")
            for mode in ("MACs", "evidence", "checked"):
                run = runs[mode] = Defended(content, options.loss, mode)
                cost = run.go()
                for side in cost._fields:
                    least[mode, side] = min(least.get((mode, side), cost.receiver * 100), getattr(cost, side))
    wire = sum(len(segment) for segment in content.segments)
    for mode, limit in (("evidence", LIMIT), ("checked", None)):
        for side in ("receiver", "sender"):
            report.row(f"{mode}: {side}", least[mode, side], "us a packet", other="MACs only",
                       theirs=least["MACs", side])
            report.row(f"{mode}: {side}, of MACs only", least[mode, side] / least["MACs", side], "",
                       limit=limit if side == "receiver" else None)
        report.row(f"{mode}: bytes for one receiver, of the content", 1 + runs[mode].sums / wire, "", limit=LIMIT)
    report.details["packets checked"] = runs["checked"].coop.checks.counters["check: packets"]
    report.details["packets"] = runs["checked"].received
    assert runs["checked"].sender.tag == TAG
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.defence", description="What the defence costs with nobody who attacks.")
    made.add_argument("--size", type=int, default=32, metavar="MIB", help="of the content (default 32)")
    made.add_argument("--loss", type=float, default=0.02, help="share that is lost (default 0.02)")
    made.add_argument("--rounds", type=int, default=7, help="of all three, of which the least counts (default 7)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
