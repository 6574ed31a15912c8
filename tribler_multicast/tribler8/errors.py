"""
What happens when this Tribler has not what we build on: one clear line, and the rest still works.
"""
from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)


class MissingSymbolError(Exception):
    """
    Tribler has changed: something that we build on is not there.
    """


def find(owner: Any, *names: str) -> Any:  # noqa: ANN401
    """
    Get ``owner.name.name...``.

    :raises MissingSymbolError: with a line that names what is missing.
    """
    for name in names:
        try:
            owner = getattr(owner, name)
        except AttributeError:
            where = getattr(owner, "__name__", type(owner).__name__)
            message = f"this Tribler has no {where}.{name}; tested is Tribler 8.4.3"
            raise MissingSymbolError(message) from None
    return owner


def guarded(what: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """
    Decorate what Tribler calls of ours: a failure is logged, once for each kind, and never reaches Tribler, whose
    answer to an exception is an error window.
    """
    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        seen: set[str] = set()

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                kind = f"{type(error).__name__}: {error}"[:200]
                if kind not in seen and len(seen) < 8:
                    seen.add(kind)
                    logger.exception("tribler-multicast: %s failed", what)
                return None

        return call

    return decorate
