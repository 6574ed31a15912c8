"""
What concerns this node alone: its status, settings, activity, and what is in its way.
"""
from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from ..client import ACTIVITY_CLASSES, Activity
from ..policy import effective_policy
from ..settings import SETTINGS, SettingError, check
from .check import refuse, shown, take_number
from .messages import (
    ChangeSettings,
    Command,
    DeclareActivity,
    Examine,
    ShowActivity,
    ShowSettings,
    ShowStatus,
    ShowTracker,
    ShowWeather,
    ShowWeatherHistory,
)

if TYPE_CHECKING:
    from .call import Call, Handler

logger = logging.getLogger(__name__)

MAX_RATE: Final = 1e12
"""Bytes/s: more is a mistake in the unit."""

MIN_TTL, MAX_TTL = 1.0, 86_400.0
"""Seconds. A player that crashed must not count as playing for ever."""


async def show_status(call: Call, command: ShowStatus) -> dict[str, Any]:
    """
    Show this node.
    """
    parts = call.parts
    my_peer, group = parts.community.my_peer, parts.community.group()
    return {
        "version": parts.version,
        "client": parts.client.name,
        "mid": my_peer.mid.hex(),
        "public_key": my_peer.public_key.key_to_bin().hex(),
        "nickname": parts.options["nickname"],
        "policy": effective_policy(parts.options),
        "group": None if group is None else dataclasses.asdict(group),
        "uptime": round(time.monotonic() - parts.started, 3),
        "interfaces": [dataclasses.asdict(interface) for interface in parts.community.interfaces()],
        "counters": parts.community.counters(),
        "features": [name for name, part in (("coded", parts.transfers), ("feeds", parts.feeds),
                                             ("torrents", parts.client.torrents), ("weather", parts.weather))
                     if part is not None],
    }


async def examine(call: Call, command: Examine) -> dict[str, Any]:
    """
    Examine the network of this machine. It takes a second or two; a second one is told to wait.
    """
    from .. import doctor  # noqa: PLC0415 (rarely used, costs start time)

    if call.control.examining.locked():
        raise refuse("The doctor is busy with another request, try again in a few seconds", 503)
    async with call.control.examining:
        parts = call.parts
        findings = await asyncio.to_thread(doctor.examine, parts.options, parts.community.interfaces(),
                                           parts.community.group(),
                                           None if parts.tracker is None else parts.tracker.error)
    return {"findings": [dataclasses.asdict(finding) for finding in findings]}


async def show_settings(call: Call, command: ShowSettings) -> dict[str, Any]:
    """
    Show all settings, or one.
    """
    if command.name is not None and command.name not in SETTINGS:
        raise refuse(f"There is no setting {shown(command.name)}")
    return {"settings": [setting for setting in call.parts.options.describe()
                         if command.name in (None, setting["name"])]}


async def change_settings(call: Call, command: ChangeSettings) -> dict[str, Any]:
    """
    Change settings, and show all. They are saved before they take effect.
    """
    for name in command.changes:
        if name not in SETTINGS:
            raise refuse(f"There is no setting {shown(name)}")
    try:
        changes = {name: check(SETTINGS[name], value) for name, value in command.changes.items()}
        await call.parts.change_settings(changes)
    except SettingError as error:
        raise refuse(str(error)) from error
    except Exception as error:
        logger.exception("The settings could not be saved")
        raise refuse("The settings could not be saved, so nothing is changed: is the disk full or read-only?",
                     503) from error
    return {"settings": call.parts.options.describe()}


async def show_activity(call: Call, command: ShowActivity) -> dict[str, Any]:
    """
    Show what this node is doing.
    """
    return _activity(call)


async def declare_activity(call: Call, command: DeclareActivity) -> dict[str, Any]:
    """
    Let an activity count from now on; the newest declaration holds.
    """
    if command.activity not in ACTIVITY_CLASSES:
        raise refuse(f"activity must be one of {', '.join(ACTIVITY_CLASSES)}, not {shown(command.activity)}")
    take_number(command.ttl, "ttl", MIN_TTL, MAX_TTL)
    for name, rate in (("up", command.up), ("down", command.down)):
        if rate is not None:
            take_number(rate, name, 0.0, MAX_RATE)
    call.parts.activities.declare(Activity(command.activity, command.up, command.down), command.ttl, time.monotonic())
    if call.parts.weather is not None:
        call.parts.weather.changed()
    return _activity(call)


def _activity(call: Call) -> dict[str, Any]:
    """
    Get the activity that counts now.
    """
    now = time.monotonic()
    activity, until = call.parts.activities.current(now)
    return {"class": activity.kind, "up": activity.up, "down": activity.down, "declared": until is not None,
            "until": None if until is None else time.time() + until - now}


async def show_weather(call: Call, command: ShowWeather) -> dict[str, Any]:
    """
    Show the weather, and what this node tells others of itself.
    """
    weather = call.parts.weather
    if weather is None:
        raise refuse("the setting weather is off: this node knows no weather", 503)
    activity = _activity(call)
    traffic = weather.traffic
    own = {"mid": call.parts.community.my_peer.mid.hex(), "activity": activity["class"], "up": traffic.up,
           "down": traffic.down, "age": 0.0, "same_gateway": True, "delay_ms": None, "own_link_slow": False,
           "needs_room": False}
    view = weather.view()
    own["delay_ms"] = view["gateway"]["delay_ms"]
    own["own_link_slow"] = view["own_link"]["state"] == "slow"
    return {**view, "nodes": [own, *view["nodes"]]}


async def show_weather_history(call: Call, command: ShowWeatherHistory) -> dict[str, Any]:
    """
    Show the weather of the last day.
    """
    weather = call.parts.weather
    if weather is None:
        raise refuse("the setting weather is off: this node knows no weather", 503)
    return {"history": weather.history(command.since)}


async def show_tracker(call: Call, command: ShowTracker) -> dict[str, Any]:
    """
    Show the tracker; one that was never wanted is not there.
    """
    if call.parts.tracker is not None:
        return call.parts.tracker.view()
    return {"enabled": False, "url": None, "error": None, "torrents": 0, "clients": 0, "announces": 0, "scrapes": 0,
            "refused": 0, "swarms": []}


HANDLERS: dict[type[Command], Handler] = {
    ShowStatus: show_status, Examine: examine, ShowSettings: show_settings, ChangeSettings: change_settings,
    ShowActivity: show_activity, DeclareActivity: declare_activity,
    ShowWeather: show_weather, ShowWeatherHistory: show_weather_history,
    ShowTracker: show_tracker,
}
