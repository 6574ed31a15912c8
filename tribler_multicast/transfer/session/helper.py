"""
The one who is asked: whoever has something of a content answers HELPs for it, by unicast.

It sends the symbols that the asker lacks. To one that has coded packets, or wants more than that for what gets lost, it
sends combinations: of a generation that is here whole as the source makes them, of one that is here in part recoded,
and only as many packets as can tell the asker something new: it sends while its rank, of what the asker has not, is
above the asker's. At the end of each answer there is an account of what was sent, so that the asker knows at once what
got lost, and what to ask of somebody else.
"""
from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from ...coding import MAX_NUMBER, MAX_SYMBOLS, Code, Encoder, Recoder
from .coop_limits import (
    BATCH,
    BATCH_TIME,
    CLIENT_FORGOTTEN,
    GIVE_LEAST,
    GIVE_SHARE,
    HELPS_KEPT,
    LEAST_PACE,
    MAX_CLIENTS,
    MAX_PACE,
)
from .coop_messages import LACKS_ROOM, Have, pack_account
from .held import Held
from .limits import CATCH_UP, FRAME, PROOF_ROOM
from .packets import (
    GENERATION_AT,
    HEARTBEAT,
    NUMBER_AT,
    NUMBERED,
    OVERHEAD,
    PLACE,
    PROOF,
    RECODED,
    SYMBOL_AT,
    pack_proof,
)
from .precedence import NEWCOMERS_SHARE, Precedence, nobody_gave
from .rate import Pacer
from .reports import lacking_segments
from .sender import Batch
from .stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from ...coding import Decoder
    from ..content.tree import HashTree
    from .coop_messages import Help, Want
    from .geometry import Geometry
    from .packets import Bytes
    from .receiver import Receiver

ASK: Final = 5
PARTLY: Final = 4096
UNKNOWN: Final = 1 << 20
"""Sequences that are left out when it is not known which were used under a key: none may be used twice."""
ACCOUNTS: Final = 2
"""An account is sent so many times: it costs little, and without it an asker waits."""


class Answer:
    """
    What is left to do for one HELP.
    """

    def __init__(self, wanted: Help) -> None:
        """
        Nothing is done yet.
        """
        self.number = wanted.number
        self.pace = min(max(wanted.pace, LEAST_PACE), MAX_PACE)
        self.proof = wanted.proof
        self.wants_checked = wanted.wants_checked
        self.left = deque(enumerate(wanted.wants))
        self.sent = [0] * len(wanted.wants)


class Client:
    """
    One who asks.
    """

    def __init__(self, mid: bytes, stream: Stream, now: float) -> None:
        """
        Nothing was given yet.
        """
        self.mid = mid
        self.stream = stream
        self.port = 0
        self.number = 0
        self.heard = now
        self.answers: deque[Answer] = deque()
        self.pacer = Pacer(now, CATCH_UP)
        self.given = 0
        self.partly: set[int] = set()
        """Generations of which something was given that were not whole then."""


class Helper:
    """
    Answers for one content: HELPs in, batches out.
    """

    def __init__(self, geometry: Geometry, tree: HashTree, content_id: bytes, *, random: Random, now: float,  # noqa: PLR0913
                 receiver: Receiver | None = None, cap: float = MAX_PACE,
                 standing: Callable[[bytes], int] = nobody_gave) -> None:
        """
        :param receiver: what is here in part; None: all of it is here.
        :param cap: bytes per second to all together.
        :param standing: gets the bytes that a peer gave us more than it took, at least 0.
        """
        self.precedence = Precedence(standing)
        self.geometry = geometry
        self.tree = tree
        self.content_id = content_id
        self.random = random
        self.receiver = receiver
        self.cap = cap
        self.clients: dict[bytes, Client] = {}
        self.excluded: set[bytes] = set()
        self.counters: Counter[str] = Counter()
        self.given: Counter[bytes] = Counter()
        """Bytes of datagrams given, by peer."""
        self.haves: list[tuple[bytes, Have]] = []
        self.budget = max(GIVE_LEAST, GIVE_SHARE * sum(geometry.cut.length(each) for each in range(geometry.segments)))
        self._held = Held()
        self._pacer = Pacer(now, CATCH_UP)
        self._seed = random.randrange(MAX_SYMBOLS + 1, MAX_NUMBER)

    # --- Asked.

    def help_received(self, mid: bytes, wanted: Help, now: float) -> bool:
        """
        Take a HELP that certainly comes from this peer. Tells whether it will be answered.
        """
        if mid in self.excluded:
            self.counters["help: excluded"] += 1
            return False
        client = self.clients.get(mid)
        if client is None or client.stream.tag != wanted.tag:
            client = self._enter(mid, wanted, now)
            if client is None:
                return False
        if wanted.number <= client.number:
            self.counters["help: replay"] += 1
            return False
        client.number, client.heard, client.port = wanted.number, now, wanted.port
        if wanted.wants_have:
            self.haves.append((mid, self.have()))
        if client.given >= self.budget:
            self.counters["help: budget"] += 1
            return False
        self.counters["help"] += 1
        client.answers.append(Answer(wanted))
        if len(client.answers) > HELPS_KEPT:
            client.answers.popleft()
            self.counters["help: too many"] += 1
        return True

    def _enter(self, mid: bytes, wanted: Help, now: float) -> Client | None:
        before = self.clients.pop(mid, None)
        if len(self.clients) >= MAX_CLIENTS:
            self.clients = {each: client for each, client in self.clients.items()
                            if now - client.heard < CLIENT_FORGOTTEN}
            if len(self.clients) >= MAX_CLIENTS and not self._make_room(mid):
                self.counters["help: no room"] += 1
                return None
        client = Client(mid, Stream(wanted.tag, wanted.key, unicast=True, sealed=wanted.sealed), now)
        client.given = 0 if before is None else before.given
        if wanted.number > 1:
            client.stream.sequence = wanted.highest + UNKNOWN
        self.clients[mid] = client
        return client

    def _make_room(self, mid: bytes) -> bool:
        """
        Let somebody who gave take the place of one who did not, the one heard longest ago, as long as those have more
        than their share of the places.
        """
        others = [each for each in self.clients if self.precedence.standing(each) <= 0]
        if self.precedence.standing(mid) <= 0 or len(others) <= NEWCOMERS_SHARE * MAX_CLIENTS:
            return False
        del self.clients[min(others, key=lambda each: self.clients[each].heard)]
        return True

    def exclude(self, mid: bytes) -> None:
        """
        Give somebody nothing any more.
        """
        self.excluded.add(mid)
        self.clients.pop(mid, None)

    def finished(self, mid: bytes) -> None:
        """
        Answer somebody no more, who has all, or is gone. What it was given counts if it comes back.
        """
        client = self.clients.get(mid)
        if client is not None:
            client.answers.clear()

    def lost(self, segment: int) -> None:
        """
        Note that a segment can't be read: what is wanted of it is not answered.
        """
        self._held.lost(segment)
        for client in self.clients.values():
            for answer in client.answers:
                answer.left = deque((place, want) for place, want in answer.left
                                    if want.generation // self.geometry.parts != segment)

    @property
    def is_asked(self) -> bool:
        """
        Whether something is left to be answered.
        """
        return any(client.answers for client in self.clients.values())

    def have(self) -> Have:
        """
        Tell which segments are here.
        """
        stored = range(self.geometry.segments) if self.receiver is None else self.receiver.stored_segments
        return Have(self.content_id, lacking_segments(stored, self.geometry.segments, LACKS_ROOM))

    def take_haves(self) -> list[tuple[bytes, Have]]:
        """
        Take the HAVEs to be sent, and to whom.
        """
        haves, self.haves = self.haves, []
        return haves

    # --- Segments.

    def wanted(self) -> list[int]:
        """
        Get the segments that should be handed over, the most urgent first.
        """
        return self._held.wanted(())

    def give(self, segment: int, data: bytes) -> None:
        """
        Hand over a segment that is stored: also unasked, when it was just completed; others may lack some of it.
        """
        self._held.give(segment, data)

    # --- Answered.

    def take(self, now: float) -> list[Batch]:
        """
        Take all that may leave now.
        """
        found = []
        waiting = [client.mid for client in self.clients.values() if client.answers]
        givers = self.precedence.givers(waiting) if len(waiting) > 1 else set()
        while waiting and self._pacer.is_due(now):
            mid = self.precedence.first(waiting, givers)
            waiting.remove(mid)
            client = self.clients[mid]
            batch = self._next(client, now) if client.answers and client.pacer.is_due(now) else None
            if batch is None:
                givers.discard(mid)
                continue
            size = len(batch.datagrams) + FRAME * (len(batch.datagrams) // batch.size)
            client.pacer.sent(now, size, sum(answer.pace for answer in client.answers) or MAX_PACE)
            self._pacer.sent(now, size, self.cap)
            client.given += len(batch.datagrams)
            self.given[mid] += len(batch.datagrams)
            found.append(batch)
            waiting.append(mid)
            self.clients[mid] = self.clients.pop(mid)  # behind all others, next time too
            self.precedence.served(mid, size, waiting, givers)
        return found

    def next_timer(self, now: float) -> float:
        """
        Get when `take` should be called.
        """
        due = min((client.pacer.due for client in self.clients.values() if client.answers), default=now + 1.0)
        return max(due, self._pacer.due, now)

    def _next(self, client: Client, now: float) -> Batch | None:
        answer = client.answers[0]
        if answer.proof is not None:
            proof, answer.proof = answer.proof, None
            run = self.tree.run_of(proof, PROOF_ROOM)
            hashes = self.tree.proof(*run)
            if hashes is not None:
                return self._batch(client, client.stream.one(PROOF, pack_proof(*run, hashes), now, ASK), 1)
        for _ in range(len(answer.left)):
            place, want = answer.left.popleft()
            useful = self._useful(want, client, answer.wants_checked)
            left = min(want.packets, useful) - answer.sent[place]
            if left <= 0:
                continue
            at_once = int(answer.pace * BATCH_TIME / (self.geometry.symbol + OVERHEAD + FRAME))
            made = self._make(want, answer.sent[place], min(left, BATCH, max(1, at_once)), client.stream, now)
            if made is None:
                answer.left.append((place, want))
                continue
            packets, datagrams = made
            answer.sent[place] += packets
            if len(client.partly) < PARTLY and self.receiver is not None and self.receiver.missing[want.generation]:
                client.partly.add(want.generation)
            if packets < left:
                answer.left.appendleft((place, want))
            self.counters["packets"] += packets
            return self._batch(client, datagrams, packets)
        if answer.left:
            return None
        client.answers.popleft()
        account = pack_account(answer.number, answer.sent)
        return self._batch(client, b"".join(client.stream.one(HEARTBEAT, account, now, ASK) for _ in range(ACCOUNTS)),
                           ACCOUNTS)

    @staticmethod
    def _batch(client: Client, made: bytes | bytearray, packets: int) -> Batch:
        return Batch(client.mid, bytearray(made), len(made) // packets)

    def _useful(self, want: Want, client: Client, wants_checked: bool) -> int:
        """
        Get how many packets can tell the asker something new: as many as we have symbols that it has not, and coded
        packets beyond its own, which we count as ours when we gave it some before.
        """
        generation, receiver = want.generation, self.receiver
        decoder = None if receiver is None else receiver.decoder(generation)
        if receiver is None or (decoder is None and not receiver.missing[generation]):
            return want.packets
        if decoder is None or not self._may_recode(generation, wants_checked):
            return 0
        if decoder.complete:
            return want.packets
        coded, symbols = receiver.held(generation) or (0, 0)
        beyond, its = (symbols & ~want.symbols).bit_count(), want.coded or 0
        if generation in client.partly:
            return max(0, beyond + coded - its)
        return beyond + max(0, coded - its)

    def _may_recode(self, generation: int, wants_checked: bool) -> bool:
        """
        Tell whether a generation that is not stored yet is good enough to be recoded: in checked mode, ours or the
        asker's, only when all of it was checked.
        """
        checks = None if self.receiver is None else self.receiver.checks
        is_checked = checks is not None and checks.has(generation)
        return is_checked or not (wants_checked or (checks is not None and checks.on))

    def _make(self, want: Want, done: int, most: int, stream: Stream, now: float) -> tuple[int, bytearray] | None:
        """
        Make packets of a generation, and get how many; None when its segment has to be read first. Who has no coded
        ones gets the symbols themselves that it lacks: they cost neither side any calculation, and no vector.

        :param done: how many were made for it already.
        """
        geometry, generation = self.geometry, want.generation
        decoder = None if self.receiver is None else self.receiver.decoder(generation)
        data = None if decoder is not None else self._held.get(generation // geometry.parts)
        if decoder is None and data is None:
            return None
        if not want.coded:
            symbols = self._symbols(want, decoder, data or b"")[done:done + most]
            if symbols:
                return len(symbols), self._numbered(generation, symbols, stream, now)
        return most, self._combinations(generation, most, decoder, data or b"", stream, now)

    def _symbols(self, want: Want, decoder: Decoder | None, data: Bytes) -> list[tuple[int, Bytes]]:
        """
        Get the symbols that are lacking there and are here, with their numbers.
        """
        size, start = self.geometry.symbol, self.geometry.offset(want.generation)
        found: list[tuple[int, Bytes]] = []
        for index in range(self.geometry.size(want.generation)):
            if not want.symbols >> index & 1:
                symbol = (data[start + index * size:start + (index + 1) * size] if decoder is None
                          else decoder.symbol(index))
                if symbol is not None:
                    found.append((index, symbol))
        return found

    def _numbered(self, generation: int, symbols: list[tuple[int, Bytes]], stream: Stream, now: float) -> bytearray:
        step = OVERHEAD + self.geometry.symbol
        made = bytearray(step * len(symbols))
        for number, (index, symbol) in enumerate(symbols):
            PLACE.pack_into(made, number * step + GENERATION_AT, generation, index)
            at = number * step + SYMBOL_AT
            made[at:at + len(symbol)] = symbol
        return stream.finish(NUMBERED, made, step, now, ASK)

    def _combinations(self, generation: int, packets: int, decoder: Decoder | None, data: bytes,
                      stream: Stream, now: float) -> bytearray:
        symbol, size, place = self.geometry.symbol, self.geometry.size(generation), generation.to_bytes(4, "big")
        if decoder is not None:
            form, step, at = RECODED, OVERHEAD - 4 + size + symbol, NUMBER_AT + size
            made = bytearray(step * packets)
            Recoder(decoder, seed=self.random.getrandbits(64)).recode_into(made, packets, step=step, head=NUMBER_AT,
                                                                           payload=at)
        else:
            form, step = NUMBERED, OVERHEAD + symbol
            made = bytearray(step * packets)
            start = self.geometry.offset(generation)
            if self._seed + packets > MAX_NUMBER:
                self._seed = MAX_SYMBOLS + 1
            Encoder(Code(size, symbol), memoryview(data)[start:start + size * symbol], systematic=False,
                    seed=self._seed).encode_into(made, packets, step=step, head=NUMBER_AT, payload=SYMBOL_AT)
            self._seed += packets
        for at in range(0, len(made), step):
            made[at + GENERATION_AT:at + NUMBER_AT] = place
        return stream.finish(form, made, step, now, ASK)
