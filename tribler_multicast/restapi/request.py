"""
Reading what a caller sent: bounded, strict, and with one clear line when it is wrong.
"""
from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import RestError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiohttp import web

MAX_BODY = 64 * 1024
"""Bytes of a JSON body. Stops a caller from filling the memory; the longest honest body is below 10 KiB."""

MAX_SHOWN = 60
"""Characters of a wrong value that an error message repeats. Stops an error from being as long as its cause."""


def shown(value: object) -> str:
    """
    A value as it is repeated in an error message: JSON, shortened.
    """
    text = json.dumps(value, default=str)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def _refuse_constant(name: str) -> NoReturn:
    """
    Refuse NaN and infinities, which Python reads but JSON does not have.
    """
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _finite(text: str) -> float:
    """
    Read a number; 422 when it is so large that Python takes it for infinity.
    """
    value = float(text)
    if not math.isfinite(value):
        raise RestError(422, f"The number {shown(text)} is too large")
    return value


async def read_body(request: web.Request, limit: int = MAX_BODY) -> bytes:
    """
    Read a body of at most ``limit`` bytes; 413 when it is longer, announced or not.
    """
    too_large = RestError(413, f"The request is too large, the limit is {limit} bytes")
    if request.content_length is not None and request.content_length > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


async def read_object(request: web.Request, fields: Collection[str] | None = None,
                      empty_is_object: bool = False, limit: int = MAX_BODY) -> dict[str, Any]:
    """
    Read a JSON object of at most ``limit`` bytes; 400 when it is not JSON, 422 when it is no object or has a field that
    is not in ``fields``.
    """
    body = await read_body(request, limit)
    if empty_is_object and not body.strip():
        return {}
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise RestError(400, "The body is not valid JSON") from error
    if not isinstance(value, dict):
        raise RestError(422, "The body must be a JSON object")
    if fields is not None:
        for name in value:
            if name not in fields:
                raise RestError(422, f"Unknown field {shown(name)}, known are: {', '.join(sorted(fields))}")
    return value


def read_query(request: web.Request, names: Collection[str] = ()) -> dict[str, str]:
    """
    Read the query; 422 when it has a name that is not in ``names`` (or the API key) or has one twice.
    """
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name == "key":
            continue
        if name not in names:
            known = f", known are: {', '.join(sorted(names))}" if names else ""
            raise RestError(422, f"Unknown query {shown(name)}{known}")
        if name in values:
            raise RestError(422, f"The query {name} is given twice")
        values[name] = value
    return values


def read_flags(request: web.Request, names: Collection[str]) -> dict[str, bool]:
    """
    Read booleans from the query, ``true`` or ``false``; 422 for anything else.
    """
    values = read_query(request, names)
    return {name: take_flag(values, name) for name in values}


def take_flag(values: Mapping[str, str], name: str) -> bool:
    """
    Take a boolean from the query, false when it is absent; 422 for anything but ``true`` or ``false``.
    """
    value = values.get(name, "false")
    if value not in {"true", "false"}:
        raise RestError(422, f"The query {name} must be true or false, not {shown(value)}")
    return value == "true"


def take_number(body: Mapping[str, Any], name: str, default: float, minimum: float, maximum: float) -> float:
    """
    Take a number from a body, or its default; 422 when it is no number or out of range.
    """
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum \
            or not math.isfinite(value):
        raise RestError(422, f"{name} must be a number from {minimum:g} to {maximum:g}, not {shown(value)}")
    return float(value)


def take_names(body: Mapping[str, Any], name: str, known: Collection[str]) -> list[str]:
    """
    Take a list of known names from a body, empty when it is absent; 422 when it is something else.
    """
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RestError(422, f"{name} must be a list of names, not {shown(value)}")
    for item in value:
        if item not in known:
            raise RestError(422, f"{name} has the unknown name {shown(item)}, known are: {', '.join(sorted(known))}")
    return value
