"""
What the rule of shares goes by, for one direction.
"""
from __future__ import annotations

from typing import NamedTuple


class Situation(NamedTuple):
    """
    What a direction looks like. Rates in bytes/s.

    - `delay`: the queue in seconds, None when it is not known; `is_told`: others felt
      more of it, `told`: so much more; `slope`: how it grows;
      `usual`: what it mostly is, bursts and all; `suspect`: it may be of this direction.
    - `need`: who needs room, a key of TARGETS; `room`: the rate that is said to be needed; `together`: two or more
      nodes feel bloat.
    - `bulk`: what this node's bulk traffic uses; `bulk_before`: the same as long ago as `slope` is old; `own_best`:
      what this node's traffic reached in the last minutes; `used`: what all together use.
    - `levels`: of other link-layer neighbours whose bulk traffic wants more; `sharers`: how many of all want more, this
      node included.
    - `capacity`: what the gateway passes, None when it is not known well enough; `guess`: as far as it can be guessed.
    """

    delay: float | None
    is_told: bool
    slope: float
    usual: float | None
    suspect: bool
    need: str
    room: float
    together: bool
    bulk: float
    bulk_before: float
    levels: tuple[float, ...]
    sharers: int
    capacity: float | None
    guess: float | None
    used: float
    own_best: float
    told: float = 0.0

    @property
    def own(self) -> float:
        """
        Get the queue that this node feels itself.
        """
        return (self.delay or 0.0) - self.told

    def is_hearsay(self, target: float) -> bool:
        """
        Tell whether a queue longer than that is felt by others only.
        """
        return self.is_told and self.own <= target
