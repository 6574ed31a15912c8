"""
Checked mode of a receiver: every packet is looked at when it comes, whoever says that it sent it.

Anybody who takes part holds the key of the group's stream, and may recode. A hash tells that a segment is wrong when
all of it is there; then checksums (coding/checksums), made by the source for this receiver alone, tell which packets
are: those that are stored and bad are removed, those that come are dropped, and only what was checked is recoded.

**Who is named.** A packet that fails is kept until its segment is whole and has its hash. Then it is known what the
packet should have been, without trusting anybody's checksums. Who sent it is named when two things are certain: it came
under the key of a pair (`HelpStream`), and its sender had promised that it was good: either it is a combination by its
seed, which honest helpers make only of segments that have their hash, or the answer to a HELP that wanted checked ones
only (`vouched`). Else an honest helper could be named that handed on what somebody else had spoilt. When checksums
called a good packet bad, it is the source that lies.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ...coding import field
from ...coding.checksums import ChecksumError, Functionals, Rows, Verifier
from ...coding.coefficients import expand
from .coop_limits import (
    ALARM_AGAIN,
    ALARM_EACH,
    ALARM_TIMES,
    CHECKED_AHEAD,
    SPOILT,
    SPOILT_SHARE,
    SUSPECTS,
    SUSPECTS_EACH,
)
from .coop_messages import LARGEST_CHECKED, pack_alarm
from .events import Checking, GroupSpoilt, PeerNamed
from .fallback_datagrams import ACCEPTED
from .packets import HEAD, MAC_SIZE, NUMBERED, PLACE, RECODED, UNICAST
from .reports import WHOLE, Lacks, Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...coding import Decoder
    from .coop_messages import Sums
    from .events import Event
    from .geometry import Geometry

GROUP = 0
SOURCE = 1
NOWHERE = -1, 0
"""Generation and number of what is too short to have them."""


class Suspect(NamedTuple):
    """
    A packet that failed: from where, whether its sender stands for it, its coefficients and its payload.
    """

    origin: int
    vouched: bool
    generation: int
    vector: bytes
    payload: bytes


class Checks:
    """
    What one receiver checks.
    """

    def __init__(self, geometry: Geometry, tag: bytes, *, always: bool = False) -> None:
        """
        :param always: from the first packet on.
        """
        self.geometry = geometry
        self.tag = tag
        self.on = always
        self.origins: dict[int, bytes] = {}
        """Who is behind an origin (`HelpStream.origin`)."""
        self.vouched: set[int] = set()
        """Origins whose every packet is an answer to a HELP that wanted checked ones only."""
        self.events: list[Event] = []
        self.counters: Counter[str] = Counter()
        self.named: set[bytes] = set()
        self.source: bytes | None = None
        self.suspected: dict[int, None] = {}
        """Segments that are whole and had not their hash: they wait for checksums."""
        self._verifiers: dict[int, Verifier] = {}
        self._functionals: Functionals | None = None
        self._key = b""
        self._asked: dict[int, tuple[float, int]] = {}
        self._alarm_at = float("-inf")
        self._suspects: defaultdict[int, list[Suspect]] = defaultdict(list)
        self._kept: Counter[int] = Counter()
        self._forged = self._fine = 0
        """Packets to the group that were checked, and bad or good, since there were SPOILT bad ones last."""
        self.is_spoilt = False

    @property
    def is_possible(self) -> bool:
        """
        Whether there is anybody to ask, and a way to tell.
        """
        return self.source is not None and self.geometry.k <= LARGEST_CHECKED

    def hopeless(self) -> list[int]:
        """
        Get the suspected segments of which no checksums came, however often they were asked for.
        """
        return [segment for segment in self.suspected
                if not self.is_possible or self._asked.get(segment, (0.0, 0))[1] >= ALARM_TIMES]

    def suspect(self, segment: int) -> bool:
        """
        Take a segment that is whole and has not its hash, to find out what is wrong. False when nobody can tell.
        """
        if not self.is_possible:
            return False
        self.begin()
        self.suspected[segment] = None
        return True

    def begin(self) -> None:
        """
        Check from now on.
        """
        if not self.on:
            self.on = True
            self.events.append(Checking())

    # --- Checksums.

    def has(self, generation: int) -> bool:
        """
        Tell whether packets of a generation can be checked.
        """
        return generation in self._verifiers

    def alarm(self, front: int, open_segments: Iterable[int], now: float) -> bytes | None:
        """
        Get an ALARM to be sent now: for what can't be checked yet. None: nothing is to be asked.
        """
        if not self.on or not self.is_possible or now - self._alarm_at < ALARM_EACH:
            return None
        wanted = []
        ahead = range(max(0, front - 1), min(front + CHECKED_AHEAD, self.geometry.segments))
        for segment in sorted({*self.suspected, *open_segments, *ahead}):
            at, times = self._asked.get(segment, (float("-inf"), 0))
            if now - at >= min(ALARM_EACH * times, ALARM_AGAIN) and times < ALARM_TIMES and not self.knows(segment):
                self._asked[segment] = now, times + 1
                wanted.append(segment)
        if not wanted:
            return None
        self._alarm_at = now
        self.counters["check: alarms"] += 1
        return pack_alarm(self.tag, Lacks(0, self.geometry.segments, [Run(each, 1, WHOLE) for each in wanted]))

    def knows(self, segment: int) -> bool:
        """
        Tell whether all packets of a segment can be checked.
        """
        return all(generation in self._verifiers for generation in self.geometry.of(segment)
                   if self.geometry.size(generation))

    def sums_received(self, sums: Sums) -> list[int]:
        """
        Take checksums that certainly come from the source, and are for us. Gets the generations that are new.
        """
        if sums.tag != self.tag or not self.on:
            return []
        if self._functionals is None or sums.key != self._key:
            self._functionals, self._key = Functionals(sums.key, self.geometry.symbol), sums.key
        fresh = []
        for generation, checksums in sums.sums:
            if generation not in self._verifiers and generation // self.geometry.parts in self._asked:
                try:
                    self._verifiers[generation] = Verifier(self._functionals, checksums)
                except ChecksumError:
                    continue
                fresh.append(generation)
        return fresh

    # --- Packets.

    def is_good(self, generation: int, identity: int | memoryview, payload: memoryview, origin: int) -> bool:
        """
        Tell whether a packet is what it says, as far as can be told now.
        """
        verifier = self._verifiers.get(generation)
        if verifier is None:
            return True
        self.counters["check: packets"] += 1
        what = identity if isinstance(identity, int) else bytes(identity)
        if verifier.functionals.of(Rows(payload, 1, len(payload))) == verifier.due(what):
            return True
        self._bad(self._suspect(generation, verifier.k, what, bytes(payload), origin))
        return False

    def bad_in(self, data: memoryview, size: int, verdicts: bytes, missing: bytearray,
               tags: tuple[int, int]) -> list[int]:
        """
        Get the numbers of those datagrams of a batch that were accepted and are not what they say. What is dear, the
        products with the secret vectors, is done for all payloads at once; what they should be is looked up for each.

        :param tags: origins of what comes to the group, and by unicast.
        """
        whole, symbol = len(data) // size, self.geometry.symbol
        room = size - HEAD.size - MAC_SIZE - symbol
        bad: list[int] = []
        found, verifiers, checked, number = b"", self._verifiers, 0, -1
        fine = 0
        while (number := verdicts.find(ACCEPTED, number + 1)) >= 0:
            at = number * size
            form, (generation, index) = data[at], PLACE.unpack_from(data, at + HEAD.size) if number < whole else NOWHERE
            verifier = verifiers.get(generation)
            if (verifier is None or not missing[generation]) and number < whole:
                continue
            is_group = not form & UNICAST
            origin = tags[0] if is_group else tags[1]
            is_numbered = form & ~UNICAST == NUMBERED
            if verifier is None or room != (PLACE.size if is_numbered else 4 + verifier.k) \
                    or form & ~UNICAST not in (NUMBERED, RECODED):
                # The last of a batch may be a shorter one; else it can't be what it says, and is dropped elsewhere.
                if not self.is_good_datagram(data[at:at + size], missing, origin):
                    bad.append(number)
                continue
            if not found:
                assert self._functionals is not None
                found = bytes(self._functionals.of(Rows(data, whole, symbol, size, HEAD.size + room)))
            checked += 1
            fine += is_group
            identity = index if is_numbered else bytes(data[at + HEAD.size + 4:at + HEAD.size + room])
            if found[number::whole] != verifier.due(identity):
                payload = bytes(data[at + HEAD.size + room:at + size - MAC_SIZE])
                self._bad(self._suspect(generation, verifier.k, identity, payload, origin))
                bad.append(number)
                fine -= is_group
        if checked:
            self.counters["check: packets"] += checked
            self._fine += fine if tags[0] == GROUP else 0
        return bad

    def _suspect(self, generation: int, size: int, identity: int | bytes, payload: bytes, origin: int) -> Suspect:
        if isinstance(identity, bytes):
            vector, is_whole = identity, False
        elif identity < size:
            vector, is_whole = bytes(identity) + b"\1" + bytes(size - identity - 1), False
        else:
            vector, is_whole = expand(identity, size), True
        return Suspect(origin, is_whole or origin in self.vouched, generation, vector, payload)

    def is_good_datagram(self, datagram: memoryview, missing: bytearray, origin: int) -> bool:
        """
        Tell the same of a datagram of the data stream; of one that is not coded, or not needed, that it is.
        """
        form, body = datagram[0] & ~UNICAST, datagram[HEAD.size:-MAC_SIZE]
        generation = int.from_bytes(body[:4], "big")
        verifier = self._verifiers.get(generation)
        if form not in (NUMBERED, RECODED) or verifier is None or not missing[generation]:
            return True
        head = 4 if form == NUMBERED else verifier.k
        if len(body) != 4 + head + self.geometry.symbol:
            return True
        identity = int.from_bytes(body[4:8], "big") if form == NUMBERED else body[4:4 + head]
        return self.is_good(generation, identity, body[4 + head:], origin)

    def look(self, generation: int, decoder: Decoder) -> int:
        """
        Check what is stored of a generation, and remove what is bad. Gets how much of it that was.
        """
        verifier = self._verifiers.get(generation)
        if verifier is None:
            return 0
        bad = verifier.bad_stored(decoder)
        for each in bad:
            self._bad(Suspect(each.tag, each.tag in self.vouched, generation, decoder.vector(each.slot),
                              decoder.packet(each.slot)))
        decoder.remove([each.slot for each in bad])
        return len(bad)

    def _bad(self, suspect: Suspect) -> None:
        self.counters["check: bad"] += 1
        if suspect.origin == GROUP:
            self._forged += 1
            if self._forged >= SPOILT:
                if not self.is_spoilt and self._forged > SPOILT_SHARE * self._fine:
                    self.is_spoilt = True
                    self.events.append(GroupSpoilt())
                self._forged = self._fine = 0
            return
        if self._kept[suspect.origin] < SUSPECTS_EACH and self._kept.total() < SUSPECTS:
            self._kept[suspect.origin] += 1
            self._suspects[suspect.generation].append(suspect)

    # --- The truth.

    def proved(self, segment: int, data: bytes | memoryview) -> None:
        """
        Take a segment that has its hash: now it is known what each packet of it should have been.
        """
        self.suspected.pop(segment, None)
        self._asked.pop(segment, None)
        if not self._verifiers and not self._suspects:
            return
        for generation in self.geometry.of(segment):
            self._verifiers.pop(generation, None)
            for suspect in self._suspects.pop(generation, ()):
                self._kept[suspect.origin] -= 1
                self._judge(suspect, data)

    def _judge(self, suspect: Suspect, data: bytes | memoryview) -> None:
        symbol, size = self.geometry.symbol, self.geometry.size(suspect.generation)
        start = self.geometry.offset(suspect.generation)
        symbols = bytes(data[start:start + size * symbol]).ljust(size * symbol, b"\0")
        true = bytearray(symbol)
        field.kernels.product(true, suspect.vector, 1, size, symbols, symbol)
        if true == suspect.payload or suspect.origin == SOURCE:
            self._name(self.source)
        elif suspect.vouched:
            self._name(self.origins.get(suspect.origin))

    def _name(self, mid: bytes | None) -> None:
        if mid is not None and mid not in self.named:
            self.named.add(mid)
            self.events.append(PeerNamed(mid))
