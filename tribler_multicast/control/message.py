"""
What all messages of the control interface have in common.
"""
from __future__ import annotations

import secrets
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


def new_request() -> str:
    """
    Make a name for a request.
    """
    return secrets.token_hex(8)


def plain(value: Any) -> Any:  # noqa: ANN401
    """
    Get a value as JSON has it: tuples become lists.
    """
    return [plain(each) for each in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Message:
    """
    What all messages have.
    """

    def as_dict(self) -> dict[str, Any]:
        """
        Get it as plain values, with its `type`.
        """
        return {"type": type(self).__name__, **{each.name: plain(getattr(self, each.name)) for each in fields(self)}}


@dataclass(frozen=True)
class Command(Message):
    """
    What a user wants done.
    """

    long: ClassVar[bool] = False
    """Has it no end in time?"""

    request: str = field(default_factory=new_request, kw_only=True)


@dataclass(frozen=True)
class Event(Message):
    """
    What happened. `request` is "" where it belongs to none.
    """

    closing: ClassVar[bool] = False
    """Does it end its request?"""

    request: str = field(default="", kw_only=True)
