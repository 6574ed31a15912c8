"""
The log of a process of its own.
"""
from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import Settings

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_log(options: Settings) -> None:
    """
    Write the log to stderr, at the level of the setting, and follow when it changes.
    """
    logging.basicConfig(stream=sys.stderr, format=LOG_FORMAT)

    def follow(changed: set[str]) -> None:
        if "log_level" in changed:
            logging.getLogger().setLevel(str(options["log_level"]).upper())

    follow({"log_level"})
    options.subscribe(follow)
