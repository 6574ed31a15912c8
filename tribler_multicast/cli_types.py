"""
Values on the command line: what a user typed, checked, or one line that says what is wrong.
"""
from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Any

from .settings import SETTINGS, SettingError, parse

MAX_PING_COUNT = 100

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


def folder(text: str) -> Path:
    """
    A folder, with ~ for the user's own.
    """
    try:
        if not text:
            raise RuntimeError("the name is empty")
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no folder: {error}") from error


def shared_folder(text: str) -> str:
    """
    The absolute path of a folder that is there.
    """
    path = folder(text).absolute()
    try:
        there = path.is_dir()
    except (OSError, ValueError):  # a folder that may not be looked into; a null byte
        there = False
    if not there:
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return str(path)


def port(text: str) -> int:
    """
    A TCP port, 0 for any free one.
    """
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, use 0 to 65535")
    return int(text)


def seconds(text: str) -> float:
    """
    A positive number of seconds.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return value


def count(text: str) -> int:
    """
    A positive number of things.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive whole number")
    return int(text)


def ping_count(text: str) -> int:
    """
    A number of pings.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not 1 <= int(text) <= MAX_PING_COUNT:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {MAX_PING_COUNT}")
    return int(text)


def rate(text: str) -> int:
    """
    A rate in bytes/s, with k, M or G for thousands of it.
    """
    match = re.fullmatch(r"([0-9]{1,12})([kMG]?)(?:B?(?:/s)?)", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate, use bytes/s such as 200000, 200k or 2M; 0: no limit")
    return int(match[1]) * UNITS[match[2]]


def mid(text: str) -> str:
    """
    The mid of a node.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{40}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no mid, which has 40 hex digits")
    return text.lower()


def content_id(text: str) -> str:
    """
    A content id.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no content id, which has 64 hex digits")
    return text.lower()


def key(text: str) -> str:
    """
    An API key: what fits in a header and in a line.
    """
    if not re.fullmatch(r"[\x21-\x7e]{1,256}", text):
        raise argparse.ArgumentTypeError("the key must be 1 to 256 printable ASCII characters without spaces")
    return text


def host(text: str) -> str:
    """
    A host to listen on.
    """
    if not re.fullmatch(r"[0-9A-Za-z._:%\[\]-]{1,255}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no host")
    return text


def assignment(text: str) -> tuple[str, str]:
    """
    ``name=value`` of a setting, with a value that the setting can have.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    checked(name, value)
    return name, value


def checked(name: str, text: str) -> Any:  # noqa: ANN401
    """
    The value of a setting from a text.
    """
    try:
        if name not in SETTINGS:
            raise SettingError(f"there is no setting {name!r}, the settings are: {', '.join(SETTINGS)}")
        return parse(SETTINGS[name], text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def nickname(text: str) -> str:
    """
    A nickname.
    """
    return str(checked("nickname", text))
