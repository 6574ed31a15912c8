"""
The weather as users and programs see it: JSON values, unknown is None.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .limits import HISTORY_STEP

if TYPE_CHECKING:
    from .claims import Claim
    from .history import Minute
    from .weather import Limits, Weather

REASONS: Final = {
    "live": "a live stream on this network needs room",
    "on_demand": "somebody on this network watches something",
    "room": "another program needs room, such as a video call",
    "congested": "the way to the internet is full",
}


def weather_view(weather: Weather, now: float) -> dict[str, Any]:
    """
    Show it: the gateway, the other nodes, and the limits in force on this node.
    """
    felt, crowd = weather.sensor.felt(now), weather.claims.crowd(now)
    claims = weather.claims.all(now)
    (up, up_sure), (down, down_sure) = weather.capacity(0, crowd), weather.capacity(1, crowd)
    return {
        "gateway": {"state": weather.state, "delay_ms": milliseconds(felt.delay), "up": up, "up_confidence": up_sure,
                    "down": down, "down_confidence": down_sure,
                    "members": [claim.mid.hex() for claim in claims if claim.gateway is not None]},
        "own_link": {"state": own_link(felt.own, is_slow=felt.is_own_slow, has_jitter=felt.has_jitter),
                     "delay_ms": milliseconds(felt.own)},
        "nodes": [node_view(claim, now) for claim in claims],
        "limit": {"up": weather.limits.up, "down": weather.limits.down, "why": weather.limits.why or None,
                  "text": limit_text(weather.limits)},
    }


def limit_text(limits: Limits) -> str | None:
    """
    Say to users what is limited and why, in a sentence; None when nothing is.
    """
    held = [f"{name} to {rate / 1000:,.0f} kB/s" for name, rate in (("uploads", limits.up), ("downloads", limits.down))
            if rate is not None]
    if not held:
        return None
    reason = REASONS.get(limits.why)
    return f"This node holds its {' and its '.join(held)} for now" + (f": {reason}." if reason else ".")


def node_view(claim: Claim, now: float) -> dict[str, Any]:
    """
    Show what a node said last.
    """
    said = claim.summary
    return {"mid": claim.mid.hex(), "activity": said.kind, "up": said.rates.up, "down": said.rates.down,
            "age": now - claim.heard_at, "same_gateway": claim.gateway is not None,
            "delay_ms": milliseconds(said.queue) if said.is_known else None, "own_link_slow": said.is_own_slow,
            "needs_room": said.needs_room}


def own_link(delay: float | None, *, is_slow: bool, has_jitter: bool) -> str:
    """
    Name the state of the way to the gateway: unknown, slow, unsteady or clear.
    """
    if delay is None:
        return "unknown"
    return "slow" if is_slow else "unsteady" if has_jitter else "clear"


def minute_view(minute: Minute) -> dict[str, Any]:
    """
    Show a line of the history.
    """
    return {"time": minute.time, "seconds": HISTORY_STEP, "state": minute.state,
            "delay_ms": milliseconds(minute.delay), "up": minute.up, "down": minute.down,
            "limit_up": minute.limit_up, "limit_down": minute.limit_down}


def milliseconds(seconds: float | None) -> float | None:
    """
    Get milliseconds, to a tenth.
    """
    return None if seconds is None else round(seconds * 1000, 1)
