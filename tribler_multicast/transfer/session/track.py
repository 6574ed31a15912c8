"""
How streams arrive at a receiver: those of the source, and those of helpers.
"""
from __future__ import annotations

from ...protocol.limits import REPLAY_WINDOW
from ...protocol.replay import ReplayWindow
from .coop_messages import read_account
from .packets import CLOCK, Head, Seal, microseconds, read_head
from .reports import Arrival, Delay


class Track:
    """
    How one stream arrives.
    """

    def __init__(self) -> None:
        """
        Nothing came yet.
        """
        self.window = ReplayWindow()
        self.count = 0
        self.time = 0
        self.at = 0.0

    def take(self, sequence: int, time: int, now: float) -> bool:
        """
        Count a datagram. False when it came before.
        """
        if not self.window.is_fresh(sequence):
            return False
        if sequence > self.window.highest:
            self.time, self.at = time, now
        self.window.add(sequence)
        self.count += 1
        return True

    def is_old(self, sequence: int) -> bool:
        """
        Tell whether a sequence is so far behind that it can't be told whether it came before.
        """
        return self.window.highest - sequence >= REPLAY_WINDOW

    def arrival(self, now: float) -> Arrival:
        """
        Get what a report says of it.
        """
        if not self.count:
            return Arrival()
        return Arrival(self.window.highest, self.count, self.time, min(CLOCK - 1, max(0, int((now - self.at) * 1e6))))


class HelpStream(Track):
    """
    What comes from one helper: only it and we hold the key.
    """

    def __init__(self, tag: bytes, key: bytes, origin: int) -> None:
        """
        Nothing came yet.

        :param origin: number under which its packets are stored.
        """
        super().__init__()
        self.tag = tag
        self.key = key
        self.origin = origin
        self.seal = Seal(key)
        self.useful = 0
        self.bytes = 0
        self.delay: Delay | None = None
        self.accounts: list[tuple[int, bytes, float]] = []

    def read(self, datagram: bytes | bytearray | memoryview, now: float) -> Head | str:
        """
        Read a datagram off the wire, or get why it does not count.
        """
        head = read_head(datagram, self.tag, (None, self.seal))
        if isinstance(head, str):
            return head.replace("data", "help")
        if not self.take(head.sequence, head.time, now):
            return "help: replay"
        self.bytes += len(datagram)
        self.delay = Delay.later(self.delay, (microseconds(now) - head.time) % CLOCK, head.time)
        return head

    def account(self, body: memoryview, now: float) -> None:
        """
        Take an account: an answer has ended.
        """
        found = read_account(body)
        if found is not None:
            self.accounts.append((*found, now))
