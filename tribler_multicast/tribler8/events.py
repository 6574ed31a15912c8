"""
Our events on Tribler's own stream, ``/api/events``.

Tribler's notifier takes any member of an Enum whose value describes name and arguments, and its stream sends the ones
in a list. A topic here is such a member made when it is first used, so that new events need no second list.
"""
from __future__ import annotations

import importlib
from typing import Any, NamedTuple

from .errors import find


class Description(NamedTuple):
    """
    What Tribler's notifier asks of the value of a topic.
    """

    name: str
    fields: list[str]
    types: list[type]


class Topic:
    """
    A kind of event; equal to any other topic of that name.
    """

    def __init__(self, name: str, fields: list[str]) -> None:
        """
        Describe events of this name with these arguments.
        """
        self.name = name
        self.value = Description(name, fields, [object] * len(fields))

    def __eq__(self, other: object) -> bool:
        """
        Compare by name.
        """
        return isinstance(other, Topic) and other.name == self.name

    def __hash__(self) -> int:
        """
        Hash by name.
        """
        return hash(self.name)


class HostEvents:
    """
    Sends events to whoever listens to Tribler.
    """

    def __init__(self, session: Any) -> None:  # noqa: ANN401
        """
        Find the notifier and the list of what is streamed.

        :raises MissingSymbolError: when this Tribler has them no more.
        """
        self.notifier = find(session, "notifier")
        find(self.notifier, "notify")
        module = importlib.import_module("tribler.core.restapi.events_endpoint")
        self.streamed: list[Any] = find(module, "topics_to_send_to_gui")
        self.endpoint = session.rest_manager.get_endpoint("/api/events")

    def notify(self, name: str, kwargs: dict[str, Any]) -> None:
        """
        Send one event. With nobody listening Tribler would write a warning for each, so then it is not asked to.
        """
        topic = Topic(name, list(kwargs))
        if topic not in self.streamed:
            self.streamed.append(topic)
        connected = getattr(self.endpoint, "has_connection_to_gui", None)
        if connected is None or connected():
            self.notifier.notify(topic, **kwargs)
