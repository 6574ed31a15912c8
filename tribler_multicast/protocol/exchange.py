"""Who challenges whom, when, and what the three messages of the exchange do. See `handshake` for what they hold."""
from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from .events import PeerAnswered, PeerLocal
from .handshake import Challenge, Pending, PendingChallenges, Proof
from .limits import (
    BURST_TIMES,
    CHALLENGE_AGAIN,
    CHALLENGE_AGAIN_OF_FEW,
    CHALLENGE_PATIENCE,
    CONFIRM_TRIES,
    CONFIRM_WAIT,
    CONFIRM_WAIT_OF_FEW,
    FEW,
    MAX_PENDING_CHALLENGES,
    YIELD_TIME,
)
from .pace import challenge_delay
from .peers import Path, PeerState
from .replay import ReplayWindow
from .wants import Want, Wants
from .wire import NO_GUARD, Address, Header, Kind

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival, Link
    from .peers import HostPort, LinkKey


def own_address(link: Link) -> Address:
    """
    Get the address at which we are reached on a link.
    """
    return Address(link.family, link.ip, link.port)


def their_address(link: Link, address: HostPort) -> Address:
    """
    Get the address of the other side.
    """
    return Address(link.family, *address)


def same(one: Address, other: Address) -> bool:
    """
    Compare addresses whatever way they are spelt.
    """
    return one.pack() == other.pack()


class Exchange:
    """
    The initiator's and the responder's part in verifying peers, for one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.wanted = Wants(core.random)
        self.drawing = False
        self.answered: OrderedDict[tuple[bytes, LinkKey], float] = OrderedDict()

    def forget(self) -> None:
        """
        Forget whom we wanted to challenge, and all challenges under way.
        """
        self.wanted.clear()
        self.drawing = False
        self.answered.clear()
        self.core.pending = self.core.gate.pending = PendingChallenges()

    # --- The initiator.

    @property
    def are_few(self) -> bool:
        """
        Whether so few are here, or about to be, that each may try a little harder.
        """
        return max(self.core.peers.address_count, len(self.wanted)) <= FEW

    def want(self, key: bytes, link: LinkKey, address: HostPort, now: float, wait: float | None = None) -> None:
        """
        Challenge a key at an address soon; how soon depends on how many others will do the same.

        :param wait: seconds that it is to wait beside that; None: it is not known who of us was here first.
        """
        core = self.core
        if not core.peers.has_room(key, link, address[0]):
            core.counters.drop("table_full")
            return
        want = Want(key, link, address, now)
        if not self.wanted.add(want):
            return
        if wait is None:
            wait = YIELD_TIME if self.is_newcomer(now) and core.identity.key > key else 0.0
        delay = wait + challenge_delay(max(core.peers.address_count, self.wanted.crowd(now)), core.random)
        if delay:
            core.timers.at(now + delay, partial(self.due, want))
        else:
            self.due(want, now)

    def is_newcomer(self, now: float) -> bool:
        """
        Tell whether we have just started.
        """
        return self.core.started is not None and now - self.core.started < BURST_TIMES[-1]

    def due(self, want: Want, now: float) -> None:
        """
        Challenge somebody now, or when the lot falls on it if too many were verified just now.
        """
        if not self.is_wanted(want, now):
            self.wanted.remove(want)
        elif not self.drawing and self.wanted.room(now):
            self.wanted.remove(want)
            self.challenge(want.key, want.link, want.address, now)
        else:
            self.wanted.hold(want)
            if not self.drawing:
                self.drawing = True
                self.core.timers.at(now + self.wanted.pause(), self.draw)

    def draw(self, now: float) -> None:
        """
        Challenge as many of those that wait as may be verified now; come back while there are any.
        """
        room = self.wanted.room(now)
        while room > 0 and (want := self.wanted.draw()) is not None:
            if self.is_wanted(want, now):
                room -= 1
                self.challenge(want.key, want.link, want.address, now)
        self.drawing = bool(self.wanted.places)
        if self.drawing:
            self.core.timers.at(now + self.wanted.pause(), self.draw)

    def is_wanted(self, want: Want, now: float) -> bool:
        """
        Tell whether somebody was not verified since we wanted to, and is not about to be.
        """
        peer = self.core.peers.get(want.key)
        path = peer.paths.get(want.link) if peer is not None else None
        verified_since = path is not None and path.address == want.address and path.since >= want.since
        answered = self.answered.get((want.key, want.link), float("-inf"))
        return not verified_since and now - answered > CONFIRM_WAIT

    def challenge(self, key: bytes, link: LinkKey, address: HostPort, now: float) -> bool:
        """
        Send a CHALLENGE if the budgets let us, and repeat it if no answer comes. False when they do not.
        """
        mine = self.core.links.get(link)
        under_way = self.core.pending.by_path.get((key, link))
        if under_way is not None and under_way.address == address and now - under_way.sent < CHALLENGE_PATIENCE:
            return True
        if self.core.started is None or mine is None or not self.core.outbox.may_challenge(address, now):
            return False
        pending = self.core.pending.start(key, link, address, now)
        self.send_challenge(pending, mine)

        def again(now: float) -> None:
            if self.core.pending.by_path.get((key, link)) is pending:
                links = self.core.links
                if link in links and self.core.started is not None and self.core.outbox.may_challenge(address, now):
                    self.send_challenge(pending, links[link])

        for delay in CHALLENGE_AGAIN_OF_FEW if self.are_few else CHALLENGE_AGAIN:
            self.core.timers.at(now + delay, again)
        return True

    def send_challenge(self, pending: Pending, mine: Link) -> None:
        """
        Send the CHALLENGE of a pending one.
        """
        payload = Challenge(pending.key, pending.nonce, own_address(mine), their_address(mine, pending.address)).pack()
        self.core.outbox.unicast(Kind.CHALLENGE, pending.link, pending.address, payload, NO_GUARD)
        self.core.counters.verification["started"] += 1

    def on_response(self, header: Header, arrival: Arrival, now: float) -> None:
        """
        The responder proved itself: it is local. Prove ourselves in turn.
        """
        core, mine = self.core, self.core.links[arrival.link]
        pending = core.pending.get(header.guard, now)
        proof = Proof.unpack(header.payload)
        if pending is None or not self.fits(proof, own_address(mine), their_address(mine, arrival.source)):
            return
        core.pending.remove(pending)
        peer = self.adopt(header, proof, arrival, now)
        if peer is None:
            return
        peer.add_rtt(max(0.0, now - pending.sent))
        self.confirm(peer, peer.paths[arrival.link], header, proof, now)

    def confirm(self, peer: PeerState, path: Path, header: Header, proof: Proof, now: float, tries: int = 1) -> None:
        """
        Send a CONFIRM, which redeems the responder's nonce; again while the responder does not show that it got it.
        """
        core, mine = self.core, self.core.links.get(path.link)
        if mine is None or peer.paths.get(path.link) is not path:
            return
        payload = Proof(peer.key, header.guard, header.epoch, own_address(mine), their_address(mine, path.address),
                        core.current_introduction()).pack()
        core.outbox.unicast(Kind.CONFIRM, path.link, path.address, payload, proof.nonce)

        def check(now: float) -> None:
            if not path.confirmed and core.started is not None:
                self.confirm(peer, path, header, proof, now, tries + 1)

        if tries < CONFIRM_TRIES:
            core.timers.at(now + (CONFIRM_WAIT_OF_FEW if tries == 1 and self.are_few else CONFIRM_WAIT), check)

    # --- The responder.

    def on_challenge(self, header: Header, arrival: Arrival, now: float) -> None:
        """
        Answer a CHALLENGE that is for us and saw the right addresses; keep nothing.
        """
        core, mine = self.core, self.core.links[arrival.link]
        challenge = Challenge.unpack(header.payload)
        if challenge.target != core.identity.key:
            core.counters.drop("wrong_recipient")
            return
        initiator, responder = their_address(mine, arrival.source), own_address(mine)
        if not (same(challenge.initiator, initiator) and same(challenge.responder, responder)):
            core.counters.drop("address_mismatch")
            return
        if core.started is None or not core.peers.has_room(header.signer, arrival.link, arrival.source[0]):
            core.counters.drop("table_full")
            return
        peer = core.peers.get(header.signer)
        path = peer.paths.get(arrival.link) if peer is not None else None
        verified = path is not None and path.address == arrival.source
        if not verified and not core.outbox.may_respond(now):
            return
        nonce = core.secrets.nonce(arrival, header, challenge.nonce, now)
        payload = Proof(header.signer, nonce, header.epoch, initiator, responder, core.current_introduction()).pack()
        core.outbox.unicast(Kind.RESPONSE, arrival.link, arrival.source, payload, challenge.nonce)
        while len(self.answered) >= MAX_PENDING_CHALLENGES:
            self.answered.popitem(last=False)
        self.answered[header.signer, arrival.link] = now

    def on_confirm(self, header: Header, arrival: Arrival, now: float) -> None:
        """
        The initiator proved itself: it is local. Probe it, which tells it that we accepted, and tells us the RTT.
        """
        core, mine = self.core, self.core.links[arrival.link]
        proof = Proof.unpack(header.payload)
        if not self.fits(proof, their_address(mine, arrival.source), own_address(mine)):
            return
        if not core.secrets.redeem(header.guard, now):
            core.counters.drop("flood")
            return
        peer = self.adopt(header, proof, arrival, now)
        if peer is not None:
            peer.paths[arrival.link].confirmed = True
            core.liveness.probe(peer, peer.paths[arrival.link], now)

    # --- Both.

    def fits(self, proof: Proof, initiator: Address, responder: Address) -> bool:
        """
        Check that the other side signed our key, our epoch and the addresses that we see.
        """
        core = self.core
        if proof.target != core.identity.key or proof.epoch != core.epoch:
            core.counters.drop("wrong_recipient")
            return False
        if not (same(proof.initiator, initiator) and same(proof.responder, responder)):
            core.counters.drop("address_mismatch")
            return False
        return True

    def adopt(self, header: Header, proof: Proof, arrival: Arrival, now: float) -> PeerState | None:
        """
        Hold the other side as local on this path, in the epoch that it just proved.
        """
        core = self.core
        peer = core.peers.get(header.signer)
        if not core.peers.has_room(header.signer, arrival.link, arrival.source[0]):
            core.counters.drop("table_full")
            return None
        new, restarted = peer is None, peer is not None and peer.epoch != header.epoch
        if peer is None:
            pair_key = core.identity.pair_key(header.signer)
            if pair_key is None:
                core.counters.drop("bad_key")
                return None
            peer = PeerState(header.signer, header.epoch, proof.introduction, pair_key, now,
                             ReplayWindow(header.sequence))
            known = False
        else:
            known = not restarted
        if restarted:
            for link in [link for link in peer.paths if link != arrival.link]:
                core.peers.remove_path(peer, link)
            peer.epoch, peer.window, peer.since = header.epoch, ReplayWindow(header.sequence), now
        peer.window.add(header.sequence)
        told = peer.introduction
        peer.introduction = proof.introduction
        older = peer.paths.get(arrival.link)
        if older is not None and older.address == arrival.source and not restarted:
            older.heard = older.since = now
        else:
            core.peers.set_path(peer, Path(arrival.link, arrival.source, now, now))
            core.liveness.watch(peer, peer.paths[arrival.link], now)
            core.introducer.remember(peer, peer.paths[arrival.link])
            core.candidates.remove((peer.key, arrival.link))
            self.wanted.pace.take(now)
            known = False
        core.counters.verification["succeeded"] += 1
        if not known or told != proof.introduction:
            core.events.append(PeerLocal(peer, first=restarted or (older is None and len(peer.paths) == 1)))
        core.events.append(PeerAnswered(peer, arrival.source))
        core.friends.verified(peer, fresh=restarted or new, now=now)
        return peer
