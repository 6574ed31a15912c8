"""
What the endpoints may touch: one small object instead of the whole node.
"""
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..client import ClientError
from .errors import RestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ..client import Client
    from ..community.multicast import MulticastCommunity
    from ..control import Control
    from ..control.messages import Command, Event
    from ..database import PeerDatabase
    from ..settings import Settings
    from .announcements import Announcements


@dataclass
class RestContext:
    """
    The control interface, of which each call is a user for a moment, and the announcements kept.
    """

    control: Control
    announcements: Announcements

    async def ask(self, command: Command,
                  meanwhile: Callable[[Event], Awaitable[None]] | None = None) -> dict[str, Any]:
        """
        Have a command carried out and get its result, or the error to answer; what it tells before that goes to
        ``meanwhile``.
        """
        try:
            return await self.control.ask(command, meanwhile)
        except ClientError as error:
            raise RestError(error.status, str(error)) from error

    @contextmanager
    def playing(self) -> Iterator[None]:
        """
        Have a player for a while: the weather looks at once what this node does now, and again at the end.
        """
        self._look_at_activity()
        try:
            yield
        finally:
            self._look_at_activity()

    def _look_at_activity(self) -> None:
        if (weather := self.control.parts.weather) is not None:
            weather.changed()

    @property
    def community(self) -> MulticastCommunity:
        """
        Whose events are told.
        """
        return self.control.parts.community

    @property
    def client(self) -> Client:
        """
        The hosting client.
        """
        return self.control.parts.client

    @property
    def options(self) -> Settings:
        """
        The settings.
        """
        return self.control.parts.options

    @property
    def database(self) -> PeerDatabase | None:
        """
        Who was here.
        """
        return self.control.parts.database
