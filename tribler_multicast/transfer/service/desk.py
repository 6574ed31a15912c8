"""
Where what other nodes say is handed over: to the publisher, to the reception that it is about, or to those that help.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...protocol.budget import KeyedBuckets
from ...protocol.wire import Kind
from ..session.coop_messages import content_of
from ..session.messages import Accept, read_end, read_refusal
from ..session.packets import TAG_SIZE
from .limits import HINTS_AT_ONCE, HINTS_PER_SECOND, PEERS_KEPT

if TYPE_CHECKING:
    from .courier import LinkKey
    from .offers import Offers
    from .publishing import Publisher
    from .register import Register

COOPERATION: Final = frozenset({Kind.MEMBERS, Kind.HELP, Kind.HAVE, Kind.SUMS, Kind.ALARM})


class Desk:
    """
    Knows to whom each message belongs, and counts those that belong to nobody.
    """

    def __init__(self, publisher: Publisher, offered: Offers, register: Register) -> None:
        """
        :param offered: what others offer.
        :param register: has what is received.
        """
        self.publisher = publisher
        self.offered = offered
        self.register = register
        self.together = publisher.together
        self.counters = publisher.counters
        self._hints = KeyedBuckets(HINTS_PER_SECOND, HINTS_AT_ONCE, PEERS_KEPT)

    def take(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> None:
        """
        Take a message of a verified peer.
        """
        if kind == Kind.REPORT:
            self.publisher.report_received(mid, payload, now)
        elif kind == Kind.JOIN:
            self.publisher.join_received(mid, payload, link, now)
        elif kind == Kind.LEAVE:
            self.publisher.leave_received(mid, payload, link)
        elif kind == Kind.OFFERS_WANTED:
            self.publisher.offers_wanted(mid, payload, link, now)
        elif kind == Kind.OFFER:
            self._offer_received(mid, payload, now)
        elif kind == Kind.ACCEPT:
            self._accept_received(mid, payload, link)
        elif kind == Kind.REFUSE:
            self._refuse_received(mid, payload)
        elif kind == Kind.FINISH:
            self._finish_received(mid, payload)
        elif kind in COOPERATION:
            self._cooperation_received(mid, kind, payload, link, now)
        else:
            self.counters["message: unknown"] += 1

    def _offer_received(self, mid: bytes, payload: bytes, now: float) -> None:
        is_hint = any(reception.joining.is_hint(mid) for reception in self.register.receptions()) \
            and self._hints.take(mid, now)
        found = self.offered.offer_received(mid, payload, is_hint=is_hint)
        if found is not None:
            reception = self.register.receiving(found.manifest.content.id)
            if reception is not None:
                reception.joining.offered(mid)

    def _accept_received(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        accept = Accept.read(payload)
        reception = None if accept is None else self.register.receiving(accept.content_id)
        if accept is None:
            self.counters["accept: malformed"] += 1
        elif reception is None:
            self.counters["accept: not asked for"] += 1
        else:
            reception.accept_received(mid, accept, link)

    def _refuse_received(self, mid: bytes, payload: bytes) -> None:
        refusal = read_refusal(payload)
        reception = None if refusal is None else self.register.receiving(refusal[0])
        if refusal is None:
            self.counters["refuse: malformed"] += 1
        elif reception is None:
            self.counters["refuse: not asked for"] += 1
        else:
            reception.joining.refuse_received(mid, refusal[1])

    def _finish_received(self, mid: bytes, payload: bytes) -> None:
        end = read_end(payload)
        if end is None:
            self.counters["finish: malformed"] += 1
        elif not any(reception.finish_received(mid, *end) for reception in self.register.receptions()):
            self.counters["finish: no session of ours"] += 1

    def _cooperation_received(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> None:
        name = kind.name.lower()
        if not self.together.is_on:
            self.counters[f"{name}: no cooperation"] += 1
        elif not self.together.courier.may(mid):
            self.counters[f"{name}: policy"] += 1
        elif self.together.is_named(mid):
            self.counters[f"{name}: named"] += 1
        elif kind in (Kind.MEMBERS, Kind.SUMS):
            tag = payload[:TAG_SIZE]
            found = [each for each in self.register.receptions() if each.is_in(tag)]
            if not found or not found[0].cooperation_received(mid, kind, payload, link):
                self.counters[f"{name}: no session of ours"] += 1
        elif kind == Kind.ALARM:
            if not self.publisher.alarm_received(mid, payload, now):
                self.counters["alarm: no receiver of it"] += 1
        elif not self._about_content(mid, kind, payload, link, now):
            self.counters[f"{name}: not here"] += 1

    def _about_content(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> bool:
        """
        Take a HELP or HAVE; False when there is nobody here for it.
        """
        content_id = content_of(payload)
        if content_id is None:
            return False
        if kind == Kind.HELP and self.publisher.help_received(mid, content_id, payload, now):
            return True
        reception = self.register.receiving(content_id)
        if reception is not None and reception.cooperation_received(mid, kind, payload, link):
            return True
        return kind == Kind.HELP and self.publisher.holding.help_received(mid, content_id, payload, link)
