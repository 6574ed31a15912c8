"""Callbacks: any number, removable, and one that fails never stops the others."""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


class Handlers:
    """
    A list of callbacks for one kind of happening; plain functions or coroutine functions.
    """

    def __init__(self, name: str) -> None:
        """
        Create an empty list; the name is for the log.
        """
        self.name = name
        self.handlers: list[Callable[..., Any]] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    def add(self, handler: Callable[..., Any]) -> None:
        """
        Add a callback; adding it twice has no effect.
        """
        if handler not in self.handlers:
            self.handlers.append(handler)

    def remove(self, handler: Callable[..., Any]) -> None:
        """
        Remove a callback; removing an unknown one has no effect.
        """
        if handler in self.handlers:
            self.handlers.remove(handler)

    def __call__(self, *args: object) -> None:
        """
        Call all, in the order they were added.
        """
        for handler in list(self.handlers):
            try:
                result = handler(*args)
            except Exception:
                logger.exception("A handler for %s failed", self.name)
                continue
            if asyncio.iscoroutine(result):
                task = asyncio.ensure_future(result)
                self.tasks.add(task)
                task.add_done_callback(self.done)

    def done(self, task: asyncio.Task[Any]) -> None:
        """
        Log a coroutine that failed.
        """
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("A handler for %s failed", self.name, exc_info=task.exception())

    def cancel(self) -> None:
        """
        Remove all callbacks and end the coroutines under way.
        """
        self.handlers = []
        for task in self.tasks:
            task.cancel()
