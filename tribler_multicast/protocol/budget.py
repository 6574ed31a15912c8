"""
Budgets: token buckets, buckets per key with bounded memory, and a bounded memory of who was there.

A token bucket lets `rate` things per second pass on average and `burst` at once (Turner, 1986).
"""
from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


class TokenBucket:
    """
    A token bucket on an injected clock.
    """

    __slots__ = ("burst", "rate", "tokens", "updated")

    def __init__(self, rate: float, burst: float) -> None:
        """
        Create a full bucket of `burst` tokens, refilled with `rate` tokens per second.
        """
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.updated: float | None = None

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """
        Take tokens if they are there; a clock that steps back gives none.
        """
        if self.updated is not None and now > self.updated:
            self.tokens = min(self.burst, self.tokens + (now - self.updated) * self.rate)
        self.updated = now
        if self.tokens < tokens:
            return False
        self.tokens -= tokens
        return True


class KeyedBuckets:
    """
    One bucket per key (an address, a peer), for at most `size` keys; the least recently used are forgotten.
    """

    def __init__(self, rate: float, burst: float, size: int) -> None:
        """
        Create buckets on demand with the given rate and burst.
        """
        self.rate = rate
        self.burst = burst
        self.size = size
        self.buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def take(self, key: Hashable, now: float) -> bool:
        """
        Take one token of this key's bucket.
        """
        bucket = self.buckets.get(key)
        if bucket is None:
            if len(self.buckets) >= self.size:
                self.buckets.popitem(last=False)
            bucket = self.buckets[key] = TokenBucket(self.rate, self.burst)
        else:
            self.buckets.move_to_end(key)
        return bucket.take(now)


class BloomFilter:
    """
    A set of who was there, lossy and of fixed size (Bloom, 1970; two hashes).
    """

    __slots__ = ("array", "count")

    def __init__(self, bits: int) -> None:
        """
        Make an empty filter of `bits` bits, a multiple of 8.
        """
        self.array = bytearray(bits // 8)
        self.count = 0

    def __contains__(self, places: tuple[int, int]) -> bool:
        """
        Tell whether somebody was there, by the bits for it; wrong in few cases, and then with "yes".
        """
        a, b = places
        return bool(self.array[a >> 3] >> (a & 7) & self.array[b >> 3] >> (b & 7) & 1)

    def add(self, places: tuple[int, int]) -> None:
        """
        Note somebody.
        """
        for place in places:
            self.array[place >> 3] |= 1 << (place & 7)
        self.count += 1


class Recent:
    """
    Who was there lately: two Bloom filters that take turns, after so many entries or so much time.
    """

    def __init__(self, bits: int, entries: int, seconds: float) -> None:
        """
        Remember somebody until `entries` others came or `seconds` went by, and at most twice that.
        """
        self.bits = bits
        self.entries = entries
        self.seconds = seconds
        self.new, self.old = BloomFilter(bits), BloomFilter(bits)
        self.turned: float | None = None

    def seen(self, digest: int, now: float) -> bool:
        """
        Tell whether somebody was there lately, by a hash of at least 64 bits, and note that it is now.
        """
        places = digest % self.bits, (digest >> 32) % self.bits
        if self.turned is None:
            self.turned = now
        if self.new.count >= self.entries or now - self.turned >= self.seconds:
            self.old = self.new if now - self.turned < 2 * self.seconds else BloomFilter(self.bits)
            self.new, self.turned = BloomFilter(self.bits), now
        if places in self.new:
            return True
        self.new.add(places)
        return places in self.old
