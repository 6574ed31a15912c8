"""
Feeds a live stream at a rate, and plays it: with the time in it, so that whoever plays knows how old it is.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import struct
import threading
import time
from random import Random
from typing import TYPE_CHECKING

from .node import RestError

if TYPE_CHECKING:
    from .node import Node

RECORD = struct.Struct(">8sQd")
MAGIC = b"recorded"
SIZE = 5000
"""Bytes of a record: magic, number, time, and what follows from its number."""
FILLER = Random(7).randbytes(SIZE + 256)


def record(number: int, now: float) -> bytes:
    """Make a record, as it is produced now."""
    return RECORD.pack(MAGIC, number, now) + FILLER[number % 256:][:SIZE - RECORD.size]


class Feeder:
    """
    Publishes a stream and feeds it, in a thread.
    """

    def __init__(self, node: Node, name: str, rate: float, media_type: str = "application/octet-stream") -> None:
        """:param rate: bytes/s."""
        self.node = node
        self.rate = rate
        said = node.rest("POST", "/streams", {"name": name, "type": media_type})
        self.stream_id: str = said["stream_id"]
        self.count = 0
        self.slept = 0.0
        self._stop = threading.Event()
        self._connection = node.connection(None)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._connection.request("PUT", f"/api/multicast/streams/{self.stream_id}/data", body=self._records(),
                                     headers=self.node.headers, encode_chunked=True)
            self._connection.getresponse().read()
        except BaseException as error:
            self.error = error

    def _records(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
        begin = time.monotonic()
        while not self._stop.is_set():
            due = begin + self.count * SIZE / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            yield record(self.count, time.monotonic())
            self.count += 1

    def stop(self) -> None:
        """Produce no more, and end the stream."""
        self._stop.set()
        self._thread.join(10)
        self._connection.close()
        self.node.rest("DELETE", f"/streams/{self.stream_id}")


class Player:
    """
    Plays a stream at a node, in a thread: how old each record is when it comes, and whether it is right.
    """

    def __init__(self, node: Node, stream_id: str) -> None:
        self.node = node
        self.stream_id = stream_id
        self.clicked = time.monotonic()
        self.first_byte: float | None = None
        """Seconds from the click."""
        self.first_record: int | None = None
        self.next_record = 0
        self.delays: list[tuple[float, float]] = []
        """When a record came, and how old it was."""
        self.bytes = 0
        self.wrong = 0
        self.over = False
        self.error: BaseException | None = None
        self._connection = node.connection(30)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        buffer = b""
        try:
            self._connection.request("GET", f"/api/multicast/streams/{self.stream_id}?from=first",
                                     headers=self.node.headers)
            response = self._connection.getresponse()
            if response.status >= 400:
                raise RestError(response.status, response.read())
            while data := response.read1(1 << 16):
                now = time.monotonic()
                if self.first_byte is None:
                    self.first_byte = now - self.clicked
                self.bytes += len(data)
                buffer = self._take(buffer + data, now)
            self.over = True
        except (OSError, http.client.HTTPException, RestError) as error:
            self.error = error

    def _take(self, buffer: bytes, now: float) -> bytes:
        if self.first_record is None:
            at = buffer.find(MAGIC)
            if at < 0 or len(buffer) - at < RECORD.size:
                return buffer
            buffer = buffer[at:]
            self.first_record = self.next_record = RECORD.unpack_from(buffer)[1]
        while len(buffer) >= SIZE:
            _, number, made = RECORD.unpack_from(buffer)
            if buffer[:SIZE] != record(self.next_record, made) or number != self.next_record:
                self.wrong += 1
            self.next_record += 1
            self.delays.append((now, now - made))
            buffer = buffer[SIZE:]
        return buffer

    def wait(self, timeout: float = 30.0) -> None:
        """Wait for the end."""
        self._thread.join(timeout)

    def close(self) -> None:
        """Play no more."""
        with contextlib.suppress(OSError):
            self._connection.close()

    def stalls(self, longest: float = 1.0) -> int:
        """Count how often nothing came for so long."""
        times = [when for when, _ in self.delays]
        return sum(later - earlier > longest for earlier, later in itertools.pairwise(times))
