"""
The peers this node knows: in memory, written through to the file.

Reading never touches the disk. A write that the disk refuses (full, read-only, locked, gone) is counted, kept and tried
again with the next one: the node goes on, and what is lost in the end is memory of peers, never a peer.
"""

from __future__ import annotations

import heapq
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from . import limits
from .record import (
    FRIEND_STATES,
    PeerRecord,
    Traffic,
    clean_addresses,
    clean_number,
    clean_text,
    higher_receipts,
    mid_of,
    with_totals,
)
from .schema import DatabaseTooNewError
from .store import PeerStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)


class PeerDatabase:
    """
    Every peer ever verified here, at most ``limits.MAX_KNOWN_PEERS``. One process per file, one thread per object.

    ``write_errors`` counts the writes that failed.
    """

    def __init__(self, path: Path, now: float) -> None:
        """
        Begin with no file and no peers; use ``open``.
        """
        self.path = path
        self.write_errors = 0
        self._opened_at = now
        self._closed = False
        self._store: PeerStore | None = None
        self._peers: dict[bytes, PeerRecord] = {}
        # Keys of rows that the file does not have as memory has them: whole rows, or only what `PeerStore.write` calls
        # what changes often; and rows too many.
        self._changed: set[bytes] = set()
        self._seen: set[bytes] = set()
        self._removed: set[bytes] = set()
        self._in_file: set[bytes] = set()
        # What was decided about friends in this run: the file, should it come late, knows no better.
        self._befriended: set[bytes] = set()
        self._failing = False
        self._logged_at = -limits.LOG_INTERVAL

    @classmethod
    def open(cls, path: Path, now: float) -> PeerDatabase:
        """
        Open the file, which is made (with its folders) or migrated where needed; nobody in it is local any more.

        A damaged file is set aside as ``<name>.corrupt-<now>`` with one warning. Where the disk allows no file at all
        the database works in memory and tries again with each write. ``now``: Unix seconds. Raises DatabaseTooNewError.
        """
        database = cls(path, now)
        try:
            database._connect(limits.BUSY_TIMEOUT)
            database._flush()
        except DatabaseTooNewError:
            raise
        except Exception as error:
            database._failed(error)
        return database

    def _connect(self, patience: float) -> PeerStore:
        store, records = PeerStore.open(self.path, self._opened_at, patience)
        self._store = store
        for record in records:
            self._in_file.add(record.public_key)
            known = self._peers.get(record.public_key)
            if known is not None:
                # Met while there was no file: what is older than this run comes from the file.
                if known.public_key not in self._befriended:
                    known = replace(known, friend=record.friend, friend_refused=record.friend_refused,
                                    friend_serial=record.friend_serial, friend_acked=record.friend_acked,
                                    friend_their_serial=record.friend_their_serial)
                total = Traffic(known.total_up, known.total_down, known.helped_up, known.helped_down).plus(
                    Traffic(record.total_up, record.total_down, record.helped_up, record.helped_down))
                record = replace(with_totals(known, total), first_seen=record.first_seen,  # noqa: PLW2901
                                 named_at=max(filter(None, (known.named_at, record.named_at)), default=None),
                                 **higher_receipts(known, record))
            self._peers[record.public_key] = record
        self._forget()
        return store

    def set_local(self, public_key: bytes, *, nickname: str,  # noqa: PLR0913 (one for each thing remembered)
                  addresses: Iterable[tuple[str, str, int]], interface: str | None, rtt_ms: float | None,
                  capabilities: Iterable[str], now: float) -> None:
        """
        Remember that a peer was verified as local. ``now``: Unix seconds. A new peer may push out the oldest one.

        Raises ValueError or TypeError for what is no key, address or time.
        """
        mid, now = mid_of(public_key), clean_number(now)
        known = self._peers.get(public_key) or PeerRecord(public_key, mid, "", now, now)
        self._peers[public_key] = replace(
            known, nickname=clean_text(nickname), last_seen=now, addresses=clean_addresses(addresses),
            interface=None if interface is None else clean_text(interface),
            rtt_ms=None if rtt_ms is None else clean_number(rtt_ms),
            capabilities=sorted({clean_text(name) for name in capabilities}), is_local=True, was_local=True)
        self._changed.add(public_key)
        self._removed.discard(public_key)
        self._forget(keep=public_key)
        self._flush()

    def set_friend(self, public_key: bytes, *, friend: str, refused: bool,  # noqa: PLR0913 (see PeerRecord)
                   serial: int, their_serial: int, acked: int, now: float) -> None:
        """
        Remember what is between this user and a peer, known or not. ``now``: Unix seconds.

        Raises ValueError for what is no key, state or time.
        """
        mid, now = mid_of(public_key), clean_number(now)
        if friend not in FRIEND_STATES:
            message = f"{friend!r} is no state of a friendship"
            raise ValueError(message)
        known = self._peers.get(public_key) or PeerRecord(public_key, mid, "", now, now)
        self._peers[public_key] = replace(known, friend=friend, friend_refused=refused, friend_serial=serial,
                                          friend_their_serial=their_serial, friend_acked=acked)
        self._befriended.add(public_key)
        self._changed.add(public_key)
        self._removed.discard(public_key)
        self._forget(keep=public_key)
        self._flush()

    def clear_local(self, public_key: bytes, now: float) -> None:
        """
        Remember that a peer is not local now; an unknown one is no error. ``now``: Unix seconds.

        ``last_seen`` stays the last sign of life (but is never after ``now``, should the clock have been set back).
        """
        known, now = self._peers.get(public_key), clean_number(now)
        if known is not None:
            self._peers[public_key] = replace(known, is_local=False, last_seen=min(known.last_seen, now))
            self._changed.add(public_key)
        self._flush()

    def touch(self, seen: Mapping[bytes, tuple[float, float | None]]) -> None:
        """
        Remember when peers were last seen: public key -> (Unix seconds, rtt in milliseconds or None). One transaction.

        Unknown peers are left out. Raises ValueError for what is no time, and then nothing changed.
        """
        fresh = {}
        for public_key, (last_seen, rtt_ms) in seen.items():
            known = self._peers.get(public_key)
            if known is not None:
                fresh[public_key] = replace(known, last_seen=clean_number(last_seen),
                                            rtt_ms=None if rtt_ms is None else clean_number(rtt_ms))
        self._peers.update(fresh)
        self._seen.update(fresh)
        self._flush()

    def add_traffic(self, traffic: Mapping[bytes, Traffic]) -> None:
        """
        Add to the bytes given and taken: public key -> how many more. One transaction; unknown peers are left out.
        """
        fresh = {}
        for public_key, more in traffic.items():
            known = self._peers.get(public_key)
            if known is not None and any(more):
                total = Traffic(known.total_up, known.total_down, known.helped_up, known.helped_down)
                fresh[public_key] = with_totals(known, total.plus(more))
        self._peers.update(fresh)
        self._seen.update(fresh)
        if fresh:
            self._flush()

    def set_named(self, public_key: bytes, now: float) -> None:
        """
        Remember that a peer was caught sending bad data; an unknown one is no error. ``now``: Unix seconds.
        """
        known, now = self._peers.get(public_key), clean_number(now)
        if known is not None:
            self._peers[public_key] = replace(known, named_at=now)
            self._changed.add(public_key)
            self._flush()

    def named(self, now: float) -> list[PeerRecord]:
        """
        The peers that were caught sending bad data in the last ``limits.NAMED_FOR`` seconds; a time to come counts not.
        """
        return [record for record in self._peers.values() if record.is_named(now)]

    def set_receipt_given(self, public_key: bytes, total: int, signature: str) -> None:
        """
        Remember what a peer signed to have taken from us; an unknown one, or a lower total, is no error.
        """
        known = self._peers.get(public_key)
        if known is not None and total > known.receipt_given:
            self._set(replace(known, receipt_given=total, receipt_given_signature=signature))

    def set_receipt_taken(self, public_key: bytes, total: int, signature: str) -> None:
        """
        Remember what we took from a peer and it agreed to, likewise.
        """
        known = self._peers.get(public_key)
        if known is not None and total > known.receipt_taken:
            self._set(replace(known, receipt_taken=total, receipt_taken_signature=signature))

    def set_total_down(self, public_key: bytes, total: int) -> None:
        """
        Remember that as much as that was taken from a peer, if we know of less.
        """
        known = self._peers.get(public_key)
        if known is not None and known.total_down < total <= limits.MAX_TOTAL:
            self._set(replace(known, total_down=total))

    def _set(self, record: PeerRecord) -> None:
        self._peers[record.public_key] = record
        self._changed.add(record.public_key)
        self._flush()

    def peers(self) -> list[PeerRecord]:
        """
        Every known peer, in no particular order.
        """
        return list(self._peers.values())

    def peer(self, public_key: bytes) -> PeerRecord | None:
        """
        The peer with this public key, None where it is not known.
        """
        return self._peers.get(public_key)

    def peer_with_mid(self, mid: bytes) -> PeerRecord | None:
        """
        The peer with this mid (20 bytes), None where it is not known.
        """
        return next((record for record in self._peers.values() if record.mid == mid), None)

    def close(self) -> None:
        """
        Write what is left to write and close the file. Later changes stay in memory; a second call does nothing.
        """
        if self._closed:
            return
        self._flush()
        self._closed = True
        if self._store is not None:
            self._store.close()

    def _forget(self, keep: bytes | None = None) -> None:
        """
        Drop peers beyond the limit: the longest unseen first, local ones later, ``keep`` never. Friends never either:
        whom the user chose no crowd pushes out.
        """
        excess = len(self._peers) - limits.MAX_KNOWN_PEERS
        if excess <= 0:
            return
        candidates = (peer for peer in self._peers.values() if peer.public_key != keep and not peer.is_friend)
        for record in heapq.nsmallest(excess, candidates, key=lambda peer: (peer.is_local, peer.last_seen)):
            del self._peers[record.public_key]
            self._befriended.discard(record.public_key)
            self._changed.discard(record.public_key)
            self._seen.discard(record.public_key)
            # Only what the file has must be removed from it: peers that come and go on a full disk leave no trace here.
            if record.public_key in self._in_file:
                self._removed.add(record.public_key)

    def _flush(self) -> None:
        """
        Write what the file lacks. A failure is counted and leaves it to the next call.
        """
        if self._closed:
            return
        try:
            store = self._store or self._connect(0.0)
            if not (self._changed or self._seen or self._removed):
                return
            store.write([self._peers[key] for key in self._changed],
                        [self._peers[key] for key in self._seen - self._changed], self._removed)
        except Exception as error:
            self._failed(error)
            return
        self._in_file |= self._changed
        self._in_file -= self._removed
        self._changed.clear()
        self._seen.clear()
        self._removed.clear()
        if self._failing:
            self._failing = False
            self._logged_at = -limits.LOG_INTERVAL
            logger.info("The database %s can be written again", self.path)

    def _failed(self, error: Exception) -> None:
        self.write_errors += 1
        self._failing = True
        now = time.monotonic()
        if now - self._logged_at >= limits.LOG_INTERVAL:
            self._logged_at = now
            # Pony's own words repeat the whole key; what SQLite said is inside.
            reason = str(getattr(error, "original_exc", None) or error).replace("\n", " ")
            logger.warning("Cannot write the database %s (%s): %d changes kept in memory until it can be written",
                           self.path, reason, len(self._changed | self._seen))
