"""
One command that is carried out, as those see it who carry it out.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .check import refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..feeds.feeds import Feeds
    from .hub import Control
    from .messages import Command, Event
    from .parts import Parts
    from .user import User

    Handler = Callable[["Call", Any], Awaitable[dict[str, Any]]]
    """Carries out a command and gives its result; raises ClientError when it failed."""


class GivenUpError(Exception):
    """
    What a command was about was ended from outside: one line.
    """


class Call:
    """
    A command, and whose it is.
    """

    def __init__(self, control: Control, user: User, command: Command) -> None:
        """
        Begin.
        """
        self.control = control
        self.user = user
        self.command = command
        self.ended = False

    @property
    def parts(self) -> Parts:
        """
        The parts of the node.
        """
        return self.control.parts

    def tell(self, kind: type[Event], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """
        Tell an event of this command, unless it has ended: somebody's last word on it may come late.
        """
        if self.ended:
            return
        self.user.tell(kind(*args, **kwargs, request=self.command.request))

    def feeds(self) -> Feeds:
        """
        Get the node's feeds; 503 when it has none.
        """
        if self.parts.feeds is None:
            raise refuse("this node has no feeds", 503)
        return self.parts.feeds

    def check_enabled(self) -> None:
        """
        503 when this node does not take part in the local network.
        """
        if not self.parts.options["enabled"]:
            raise refuse("This node is switched off, the setting enabled is false", 503)
