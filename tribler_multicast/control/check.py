"""
Is what a program put on its queue a command that can be? Types, sizes, ids, paths; or one line that says what is wrong.
"""
from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

from ..client import ClientError
from .messages import COMMANDS

if TYPE_CHECKING:
    from .messages import Command

MAX_TEXT: Final = 64 * 1024
"""Characters of a text in a command. The longest honest one is a magnet link with many trackers; stops a program from
having one line of its own logged and repeated by the megabyte."""

MAX_SHOWN: Final = 60
"""Characters of a wrong value that an error repeats."""

WORDS: Final = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "an object",
                list: "a list", NoneType: "null"}

HINTS: Final = {kind: {name: hint for name, hint in get_type_hints(kind).items() if name != "long"}
                for kind in COMMANDS.values()}
"""The types of the fields of every command."""

HEX: Final = re.compile(r"[0-9a-fA-F]*", re.ASCII)
TRACKER: Final = re.compile(r"(?:https?|udp|wss?)://[\x21-\x7e]{1,2000}", re.ASCII)


def shown(value: object) -> str:
    """
    Get a value as an error repeats it: one line of ASCII, shortened.
    """
    try:
        text = json.dumps(value[:MAX_SHOWN] if isinstance(value, str) else value, default=repr)
    except (ValueError, RecursionError):
        text = f"such a {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def fits(value: object, hint: Any) -> bool:  # noqa: ANN401
    """
    Tell whether a value has a type, as JSON sees it: true is no number, a list does for a tuple.
    """
    if hint is Any:
        return True
    origin = get_origin(hint)
    if origin is UnionType:
        return any(fits(value, each) for each in get_args(hint))
    if origin is tuple:
        return isinstance(value, tuple | list) and all(fits(each, get_args(hint)[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(isinstance(name, str) for name in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
    if hint is str:
        return isinstance(value, str) and len(value) <= MAX_TEXT
    return type(value) is hint


def words_of(hint: Any) -> str:  # noqa: ANN401
    """
    Get a type in words.
    """
    origin = get_origin(hint)
    if origin is UnionType:
        return " or ".join(words_of(each) for each in get_args(hint))
    if origin is tuple:
        return f"a list of {words_of(get_args(hint)[0])}" if get_args(hint)[0] is not Any else "a list"
    return WORDS[origin or hint]


def what_is_wrong(command: Command) -> str | None:
    """
    Get one line on the first field that has the wrong type, None when all fit.
    """
    for name, hint in HINTS[type(command)].items():
        value = getattr(command, name)
        if not fits(value, hint):
            long = f" of at most {MAX_TEXT} characters" if isinstance(value, str) and len(value) > MAX_TEXT else ""
            return f"{name} must be {words_of(hint)}{long}, not {shown(value)}"
    return None


def refuse(message: str, status: int = 422) -> ClientError:
    """
    Make the error of a command that can't be carried out.
    """
    return ClientError(message, status)


def take_hex(text: str, name: str, size: int) -> bytes:
    """
    Get the bytes of an id; 422 when it is none.
    """
    if len(text) != 2 * size or not HEX.fullmatch(text):
        raise refuse(f"{name} must be {2 * size} hex digits, not {shown(text)}")
    return bytes.fromhex(text)


def take_mid(text: str) -> bytes:
    """
    Get a mid; 422 when it is none.
    """
    return take_hex(text, "mid", 20)


def take_infohash(text: str) -> bytes:
    """
    Get an infohash; 422 when it is none.
    """
    return take_hex(text, "infohash", 20)


def take_number(value: float, name: str, least: float, most: float) -> float:
    """
    Get a number in its range; 422 when it is not.
    """
    if not least <= value <= most:
        raise refuse(f"{name} must be a number from {least:g} to {most:g}, not {shown(value)}")
    return value


def take_path(text: str, name: str = "path") -> Path:
    """
    Get an absolute path of this machine; 422 when it is none: where the node was started is nobody's business.
    """
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise refuse(f"{name} is no path: {shown(text)}") from error
    if "\0" in text or not Path(text).is_absolute():
        raise refuse(f"{name} must be an absolute path on the node's machine, not {shown(text)}")
    return Path(text)


def take_existing(text: str, name: str = "path") -> Path:
    """
    Get the absolute path of a file or folder that is there; 404 when it is not, 403 when this node may not look.
    """
    path = take_path(text, name)
    try:
        if not path.exists():
            raise refuse(f"{name}: there is no {shown(text)}", 404)
    except OSError as error:
        raise refuse(f"{name}: {shown(text)} cannot be looked at: {error.strerror}", 403) from error
    return path


def take_folder(text: str | None) -> Path | None:
    """
    Get where to download to: an absolute path, made when it is not there; None when it is not said.
    """
    if text is None:
        return None
    folder = take_path(text, "folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise refuse(f"folder: {shown(text)} is no folder", 409) from error
    except OSError as error:
        raise refuse(f"folder: {shown(text)} cannot be made: {error.strerror}", 403) from error
    return folder


def take_trackers(urls: tuple[str, ...]) -> list[str]:
    """
    Get the URLs of trackers; 422 when one is none.
    """
    if len(urls) > 100:
        raise refuse("trackers must be at most 100")
    for url in urls:
        if not TRACKER.fullmatch(url):
            raise refuse(f"trackers must be http, https, udp, ws or wss URLs, not {shown(url)}")
    return list(urls)
