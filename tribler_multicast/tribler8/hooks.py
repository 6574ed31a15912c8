"""
Where Tribler takes the plugin in: three changes to objects in memory, the same for ``run`` and for the drop-in.

Tribler's list of launchers is written into ``Session.register_launchers``, so that method is wrapped; a section that
``DEFAULT_CONFIG`` does not have cannot be read, so it gets one; and the class that serves the user interface is
replaced by one that brings the page along. Whatever fails here, Tribler starts without the plugin and its log says why.
"""
from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from .config import SECTION, defaults
from .errors import MissingSymbolError, find
from .webui import with_page

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

NOT_LOADED = "tribler-multicast is not loaded"
"""Critical, because a Tribler that was installed writes nothing less to its log."""

MARK = "tribler_multicast_plugin"
"""Attribute of the patched method: set by whoever came first, the drop-in or ``run``."""


def attach() -> bool:
    """
    Have every session of Tribler load the plugin. False, and a line in the log, when this Tribler cannot take it in.
    """
    try:
        _attach()
    except MissingSymbolError as error:
        logger.critical("tribler-multicast is not loaded: %s", error)
    except Exception:
        logger.critical(NOT_LOADED, exc_info=True)
    else:
        return True
    return False


def _attach() -> None:
    """
    Change what must be changed, once per process.
    """
    module = importlib.import_module("tribler.core.session")
    session_class = find(module, "Session")
    default_config = find(importlib.import_module("tribler.tribler_config"), "DEFAULT_CONFIG")
    register_launchers = find(session_class, "register_launchers")
    if hasattr(register_launchers, MARK):
        logger.info("tribler-multicast is loaded already")
        return
    default_config.setdefault(SECTION, defaults())
    session_class.register_launchers = _wrapped(register_launchers)
    try:
        endpoint_class = find(module, "WebUIEndpoint")
        find(endpoint_class, "return_files")
        module.WebUIEndpoint = with_page(endpoint_class)  # type: ignore[attr-defined]
    except MissingSymbolError as error:
        logger.critical("tribler-multicast works without its page: %s", error)


def _wrapped(register_launchers: Callable[[Any], None]) -> Callable[[Any], None]:
    """
    Tribler's method, and ours after it. Both run before the REST server and the communities start.
    """
    def register(session: Any) -> None:  # noqa: ANN401
        register_launchers(session)
        try:
            from .plugin import Plugin  # noqa: PLC0415 (nothing of it is needed before)

            Plugin(session).register()
        except MissingSymbolError as error:
            logger.critical("tribler-multicast is not loaded: %s", error)
        except Exception:
            logger.critical(NOT_LOADED, exc_info=True)

    setattr(register, MARK, True)
    return register
