"""
The publisher's side: answers who asks and who joins, and runs the sessions.
"""
from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import TYPE_CHECKING

from ...coding.field import why_not_native
from ...protocol.budget import KeyedBuckets
from ...protocol.wire import Kind
from ..content.manifest import ID_SIZE
from ..errors import ChangedError, shown
from ..session.coop_messages import is_to_source
from ..session.geometry import Geometry, symbols_for
from ..session.messages import (
    Ending,
    Join,
    Offer,
    Refusal,
    pack_end,
    pack_refusal,
    read_end,
    read_report,
)
from ..session.packets import TAG_SIZE
from ..session.precedence import weights
from .holding import Holding
from .limits import (
    ASKS_AT_ONCE,
    ASKS_PER_SECOND,
    HOLD,
    JOINS_AT_ONCE,
    JOINS_PER_SECOND,
    LINGER,
    LOOK_EACH,
    LOOK_SHARE,
    NEWEST_OFFERED,
    OFFERS_AT_ONCE,
    PEERS_KEPT,
    READERS,
    REPORTS_AT_ONCE,
    REPORTS_PER_SECOND,
    SESSIONS,
)
from .links import SendingLinks
from .outgoing import OutgoingSession
from .publication import Place, Serving
from .together import Together
from .transfer import FAILED, PAUSED
from .waiting import Waiting

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from ..content.manifest import Manifest
    from ..errors import TransferError
    from .courier import Courier, LinkKey, Options, Path
    from .publication import Publication
    from .sending import SendingLink
    from .transfer import Transfer

logger = logging.getLogger(__name__)

LOOK_MOST = float("inf")


class Publisher:
    """
    All that is offered, and all that is sent of it.
    """

    def __init__(self, courier: Courier, options: Options, counters: Counter[str],
                 changed: Callable[[Transfer, str], None]) -> None:
        """
        Offer nothing yet.

        :param changed: takes a transfer and the state that it has now.
        """
        self.courier = courier
        self.options = options
        self.counters = counters
        self.changed = changed
        self.publications: dict[bytes, Publication] = {}
        self.sessions: dict[bytes, OutgoingSession] = {}
        """By tag."""
        self.links = SendingLinks(courier, options, self._receivers)
        self.together = Together(courier, options, counters, self.links)
        self.partly: Callable[[bytes], Manifest | None] = lambda content_id: None
        """Gets what a content is of which there is some here."""
        self._readers = ThreadPoolExecutor(READERS, "transfer-read")
        self._joins = KeyedBuckets(JOINS_PER_SECOND, JOINS_AT_ONCE, PEERS_KEPT)
        self._asks = KeyedBuckets(ASKS_PER_SECOND, ASKS_AT_ONCE, PEERS_KEPT)
        self._reports = KeyedBuckets(REPORTS_PER_SECOND, REPORTS_AT_ONCE, PEERS_KEPT)
        self._next_offer: dict[bytes, int] = {}
        self._waiting = Waiting()
        self.holding = Holding(self.together, self.publications.get, self._readers, self._unreadable, self._asked)

    def _receivers(self, link: SendingLink) -> set[bytes]:
        return {mid for session in self.sessions.values() if session.link is link for mid in session.receivers}

    def offer(self, publication: Publication) -> None:
        """
        Offer a content, and tell those who asked for it in vain just now.
        """
        self.publications[publication.content_id] = publication
        for mid, link in self._waiting.take(publication.content_id, asyncio.get_running_loop().time()):
            if self.courier.may(mid):
                self._tell(mid, publication, link)

    def _tell(self, mid: bytes, publication: Publication, link: LinkKey) -> None:
        if publication.source is not None and publication.error is None:
            offer = Offer(bool(publication.sessions), publication.receivers, publication.manifest.pack())
            self.courier.send(mid, Kind.OFFER, offer.pack(), link)

    # --- What others say.

    def offers_wanted(self, mid: bytes, payload: bytes, link: LinkKey, now: float) -> None:
        """
        Tell what is offered.
        """
        if len(payload) not in (0, ID_SIZE):
            self.counters["offers wanted: malformed"] += 1
        elif not self._asks.take(mid, now):
            self.counters["offers wanted: too many"] += 1
        elif not self.courier.may(mid):
            self.counters["offers wanted: policy"] += 1
        else:
            wanted = self.publications.get(payload) if payload else None
            for publication in self._some(mid) if not payload else [wanted] if wanted else []:
                self._tell(mid, publication, link)
            manifest = self.partly(payload) if payload and wanted is None else None
            if manifest is not None:
                self.courier.send(mid, Kind.OFFER, Offer(False, 0, manifest.pack()).pack(), link)

    def _some(self, mid: bytes) -> list[Publication]:
        """
        Get as many publications as are told at once: the newest, and the next ones each time that somebody asks.
        """
        publications = list(self.publications.values())
        if len(publications) <= OFFERS_AT_ONCE:
            return publications
        newest, older = publications[-NEWEST_OFFERED:], publications[:-NEWEST_OFFERED]
        others = OFFERS_AT_ONCE - len(newest)
        start = self._next_offer.pop(mid, 0) % len(older)
        self._next_offer[mid] = start + others
        if len(self._next_offer) > PEERS_KEPT:
            del self._next_offer[next(iter(self._next_offer))]
        return [*islice(cycle(older), start, start + others), *newest]

    def join_received(self, mid: bytes, payload: bytes, link: LinkKey, now: float) -> None:
        """
        Let somebody in, or say why not.
        """
        join = Join.read(payload)
        if join is None:
            self.counters["join: malformed"] += 1
        elif not self._joins.take(mid, now):
            self.counters["join: too many"] += 1
        else:
            refusal = self._join(mid, join, link, now)
            if refusal is not None:
                self.counters[f"join: refused ({refusal.name.lower()})"] += 1
                self.courier.send(mid, Kind.REFUSE, pack_refusal(join.content_id, refusal), link)

    def _join(self, mid: bytes, join: Join, link: LinkKey, now: float) -> Refusal | None:
        if not self.courier.may(mid):
            return Refusal.POLICY
        publication = self.publications.get(join.content_id)
        if publication is None or publication.source is None or publication.error is not None:
            self._waiting.note(join.content_id, mid, link, now)
            return Refusal.UNKNOWN if self.partly(join.content_id) is None else Refusal.PARTLY
        lacks = join.lacks(publication.source.layout.segments)
        if lacks is None:
            return Refusal.MALFORMED
        sealed = join.sealed or self.courier.must_seal
        path = None if publication.paused else self._path(mid, publication, link, sealed)
        place = None if path is None else Place(path.link, mid if join.no_multicast else None, sealed)
        session = None if place is None else self._session(publication, place, join.largest_k)
        if path is None or session is None:
            return Refusal.FULL
        if session.geometry.k > join.largest_k:
            return Refusal.MALFORMED
        accept = session.join(mid, (path.address, join.port), lacks, join.rate * 125.0, now,
                              helps=join.helps and self.together.is_on)
        if accept is None:
            return Refusal.FULL
        self.counters["join: accepted"] += 1
        for other in list(publication.sessions.values()):
            if other is not session and other.link is session.link:
                other.leave(mid)
        if join.wants_manifest:
            accept = accept._replace(manifest=publication.manifest.pack())
        self.courier.send(mid, Kind.ACCEPT, accept.pack(), path.link)
        self._joined(publication, now)
        return None

    def _path(self, mid: bytes, publication: Publication, link: LinkKey, sealed: bool) -> Path | None:
        """
        Get by which way of the interface data goes to somebody: where others receive it already, else by IPv4 where
        there is a choice, so that all meet in one session.
        """
        paths = [path for path in self.courier.paths(mid) if path.link[0] == link[0]]
        sizes = {place.link: len(session.receivers) for place, session in publication.sessions.items()
                 if place.only is None and place.sealed == sealed}
        return min(paths, key=lambda path: (-sizes.get(path.link, 0), path.link[1]), default=None)

    def _session(self, publication: Publication, place: Place, largest_k: int) -> OutgoingSession | None:
        """
        Get the session of a place, which begins when there is none; None when there can be none.
        """
        if place in publication.sessions:
            return publication.sessions[place]
        sending = self.links.get(place.link)
        if sending is None or len(self.sessions) >= SESSIONS:
            return None
        assert publication.source is not None
        k = min(symbols_for(publication.wait_for, not why_not_native), largest_k)
        try:
            geometry = Geometry(publication.source.layout, k)
        except ValueError:
            return None
        session = OutgoingSession(publication, sending, geometry, self._readers, self._unreadable, place=place,
                                  courier=self.courier)
        session.limit = float(publication.rate or 0)
        publication.sessions[place] = self.sessions[session.tag] = session
        return session

    def _joined(self, publication: Publication, now: float) -> None:
        if publication.serving is None:
            publication.serving = Serving(publication)
        if publication.wait_for > 1 and publication.held_until is None:
            publication.held_until = now + HOLD
            asyncio.get_running_loop().call_later(HOLD, self._release, publication)
        self._release(publication)
        self.changed(publication.serving, publication.serving.look())

    def _release(self, publication: Publication) -> None:
        """
        Let sessions begin that need wait no more.
        """
        now = asyncio.get_running_loop().time()
        if publication.receivers >= publication.wait_for or (publication.held_until or 0) <= now:
            publication.wait_for = 0
            for session in publication.sessions.values():
                if not session.begun:
                    session.begin(publication.weight)
            self._weigh()

    def report_received(self, mid: bytes, payload: bytes, now: float) -> None:
        """
        Take a report to the session that it is about.
        """
        found = read_report(payload)
        session = self.sessions.get(found[0]) if found is not None else None
        if found is None:
            self.counters["report: malformed"] += 1
        elif not self._reports.take(mid, now):
            self.counters["report: too many"] += 1
        elif session is None:
            self.counters["report: no such session"] += 1
        elif mid not in session.receivers:
            self.counters["report: no receiver of it"] += 1
        else:
            session.report_received(mid, found[1], now)

    def help_received(self, mid: bytes, content_id: bytes, payload: bytes, now: float) -> bool:
        """
        Take a HELP of one of our receivers, to us as the source; False when it is not one of them.
        """
        publication = self.publications.get(content_id)
        session = None if publication is None else next(
            (session for session in publication.sessions.values() if mid in session.receivers), None)
        if session is None or not is_to_source(payload):
            return False
        session.message_received(mid, Kind.HELP, payload, now)
        return True

    def alarm_received(self, mid: bytes, payload: bytes, now: float) -> bool:
        """
        Take an ALARM of one of our receivers; False when it is not one of them.
        """
        session = self.sessions.get(bytes(payload[:TAG_SIZE]))
        if session is None or mid not in session.receivers:
            return False
        session.message_received(mid, Kind.ALARM, payload, now)
        return True

    def _asked(self, publication: Publication) -> None:
        """
        Note that somebody gets some of it, with no session.
        """
        publication.serving = publication.serving or Serving(publication)
        self._look(publication)

    def leave_received(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        """
        Let somebody go. Who has all of it says so until it is answered: that is what a publisher may wait for.
        """
        end = read_end(payload)
        session = self.sessions.get(end[0]) if end is not None else None
        if end is not None and end[1] == Ending.DONE:
            self.courier.send(mid, Kind.FINISH, pack_end(*end), link)
        if end is None:
            self.counters["leave: malformed"] += 1
        elif session is None or mid not in session.receivers:
            self.counters["leave: no receiver of it"] += 1
        else:
            if end[1] == Ending.DONE:
                session.publication.has_finished(mid)
            session.leave(mid)
            self._look(session.publication)

    # --- What becomes of it.

    def _unreadable(self, publication: Publication, error: TransferError) -> None:
        """
        Offer no more what is not what it was.
        """
        if publication.error is None:
            logger.warning("%s", error)
            publication.fail(str(error))
            self.end(publication, Ending.CHANGED if isinstance(error, ChangedError) else Ending.FAILED)
            if publication.serving is not None:
                publication.serving.error = publication.error
                self.changed(publication.serving, FAILED)

    def end(self, publication: Publication, why: Ending) -> None:
        """
        End all sessions of a publication.
        """
        for session in list(publication.sessions.values()):
            self._close(session, why)
        self.holding.end(publication.content_id)

    def _close(self, session: OutgoingSession, why: Ending) -> None:
        for mid in session.receivers:
            self.courier.send(mid, Kind.FINISH, pack_end(session.tag, why), session.link.key)
        session.close()
        self.sessions.pop(session.tag, None)
        session.publication.sessions.pop(session.place, None)

    def gone(self, mid: bytes) -> None:
        """
        Let a peer go that is not local any more.
        """
        for session in list(self.sessions.values()):
            if mid in session.receivers:
                session.leave(mid)
                self._look(session.publication)

    def _look(self, publication: Publication) -> None:
        serving = publication.serving
        if serving is not None and serving.state not in (PAUSED, FAILED):
            self.changed(serving, serving.look())

    def tick(self, now: float) -> None:
        """
        Look for who is silent, and for what is over.
        """
        for session in list(self.sessions.values()):
            session.tick(now)
            for mid in [mid for mid in session.receivers if not self.courier.may(mid)]:
                self.courier.send(mid, Kind.FINISH, pack_end(session.tag, Ending.CANCELLED), session.link.key)
                session.leave(mid)
            if session.sender.is_spent or (self.courier.must_seal and not session.place.sealed):
                self._close(session, Ending.CANCELLED)
            elif not session.receivers and now - session.empty_since > LINGER:
                self._close(session, Ending.DONE)
            self._look(session.publication)
            self._look_at_files(session.publication, now)
        for publication in {session.publication for session in self.sessions.values()}:
            self._meet(publication)
        self._weigh()
        self.holding.tick(now)
        self.links.tick(now)

    def _weigh(self) -> None:
        """
        Let those who gave have more of a link where others want some of it as well.
        """
        by_link: dict[LinkKey, list[OutgoingSession]] = {}
        for session in self.sessions.values():
            if session.begun and session.unfinished:
                by_link.setdefault(session.link.key, []).append(session)
        for sessions in by_link.values():
            found = weights([(session.publication.weight, len(sessions) > 1 and session.has_giver)
                             for session in sessions])
            for session, weight in zip(sessions, found, strict=True):
                session.link.scheduler.add(session, weight)

    def _meet(self, publication: Publication) -> None:
        """
        Have receivers of one interface meet in one session: who can be reached by the way of the others by now is told
        to join again.
        """
        common = [session for place, session in publication.sessions.items()
                  if place.only is None and session.receivers]
        for session in common if len(common) > 1 else ():
            for mid in list(session.receivers):
                path = self._path(mid, publication, session.link.key, session.place.sealed)
                better = None if path is None else publication.sessions.get(session.place._replace(link=path.link))
                if better is not None and better is not session and better.receivers:
                    self.counters["join: moved"] += 1
                    self.courier.send(mid, Kind.FINISH, pack_end(session.tag, Ending.CANCELLED), session.link.key)
                    session.leave(mid)

    def _look_at_files(self, publication: Publication, now: float) -> None:
        """
        See whether the files are still there, and as they were.
        """
        source = publication.source
        if source is None or now < publication.look_at or publication.error is not None:
            return
        publication.look_at = now + LOOK_MOST
        looking = asyncio.get_running_loop().run_in_executor(self._readers, source.is_unchanged)
        looking.add_done_callback(lambda done: self._looked(publication, now, done))

    def _looked(self, publication: Publication, begun: float, done: asyncio.Future[bool]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        now = asyncio.get_running_loop().time()
        publication.look_at = now + max(LOOK_EACH, (now - begun) / LOOK_SHARE)
        if not done.result():
            where = shown(str(publication.path))
            self._unreadable(publication, ChangedError(f"{where} was changed or deleted since it was offered"))

    def links_changed(self) -> None:
        """
        Give up links that are gone, or have another address now. Their receivers will join again.
        """
        for link in self.links.changed():
            for session in [session for session in self.sessions.values() if session.link is link]:
                self._close(session, Ending.CANCELLED)
                self._look(session.publication)
            self.links.close(link)

    def close(self) -> None:
        """
        End all sessions.
        """
        for publication in self.publications.values():
            self.end(publication, Ending.CANCELLED)
        self.holding.end()
        self.links.close()
        self._readers.shutdown(wait=False, cancel_futures=True)
