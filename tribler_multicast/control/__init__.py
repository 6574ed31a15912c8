"""
A control interface of messages: programs in the same process put commands on a queue and get events from another.

``Control`` is the hub, ``messages`` the vocabulary. The REST API is one of its users.
"""
from __future__ import annotations

from .hub import Control
from .parts import Parts
from .user import ControlClosedError, User

__all__ = ["Control", "ControlClosedError", "Parts", "User"]
