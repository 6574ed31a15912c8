"""
When to look at a feed again. Sans-IO: `now` and the lot are arguments.

A feed may say itself how long it stays fresh (`Cache-Control: max-age`, `<ttl>`); if not, the user's interval holds.
After an error the pauses double, with jitter; `Retry-After` (RFC 9110 10.2.3) is heeded. All of it within bounds, so
that no server can make us a nuisance or end a subscription. Times are kept as seconds since 1970, to survive a restart.
"""
from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime

from .limits import FIRST_PAUSE, JITTER, LEAST_HINT, MAX_PAUSE, MOST_HINT

MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,10})\"?\s*(?:,|$)", re.IGNORECASE)
STALE = re.compile(r"(?:^|,)\s*(?:no-cache|no-store)\b", re.IGNORECASE)


def next_look(now: float, interval: float, hint: float | None, lot: float) -> float:
    """
    When to look again after a look that went well. `interval` is the user's, `hint` the feed's own (seconds, None if it
    has none), `lot` a random number in [0, 1).

    Never earlier than either says within the bounds, up to a tenth later: feeds that were added together drift apart.
    """
    wait = interval if hint is None else min(max(hint, min(LEAST_HINT, interval)), max(MOST_HINT, interval))
    return now + wait * (1 + 0.1 * lot)


def next_try(now: float, failures: int, lot: float, retry_after: float | None = None,
             interval: float = math.inf) -> float:
    """
    When to try again after so many failures in a row (at least 1). Whose interval is short has a short first pause.
    """
    first = min(FIRST_PAUSE, interval)
    pause = min(first * 2.0 ** min(failures - 1, 30), MAX_PAUSE) * (1 + JITTER * (2 * lot - 1))
    if retry_after is not None:
        # Not earlier than asked for, and with the same scatter: it was said to all.
        pause = max(pause, min(retry_after, MOST_HINT) * (1 + JITTER * lot))
    return now + pause


def mended(now: float, due: float, interval: float, last: float | None = None) -> float:
    """
    A time that was set before the clock was set back: now, if no rule above leads so far ahead, or if the `last` look
    is yet to come.
    """
    wrong = due > now + 2 * max(MOST_HINT, interval) or (last is not None and last > now + FIRST_PAUSE)
    return now if wrong else due


def max_age(cache_control: str) -> float | None:
    """
    The seconds that an answer stays fresh by its `Cache-Control`; None when it does not say, or is to be asked for
    each time (which says nothing on how often to ask).
    """
    if STALE.search(cache_control):
        return None
    found = MAX_AGE.search(cache_control)
    return float(found[1]) or None if found else None


def retry_after(text: str, now: float) -> float | None:
    """
    The seconds that `Retry-After` asks to wait: a number or a date. None for what is neither.
    """
    text = text.strip()[:64]
    if re.fullmatch(r"\d{1,10}", text, re.ASCII):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
