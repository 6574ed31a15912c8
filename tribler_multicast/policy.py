"""
Who may talk with this node: the one rule that says which policy is in force.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .settings import SettingError, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYONE: Final = "everyone"
FRIENDS: Final = "friends"
GROUP: Final = "group"

NOBODY: Final = "nobody"
STRANGERS: Final = "strangers"

SHORT_PASSPHRASE: Final = 12
"""Characters below which a passphrase is called short: whoever recorded the LAN can try passphrases at home."""


def effective_policy(options: Settings | Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> str:
    """
    Get the policy in force: ``everyone``, ``friends`` or ``group``.

    A passphrase and no word about the policy means ``group``: who set a passphrase wants to be among its holders, and a
    setting that was forgotten must not make public what was meant to be private.

    :param changes: settings that are about to change.
    """
    coming = changes or {}
    chosen = coming.get("policy", options.get("policy", EVERYONE))
    known = options.source("policy") != "default" if isinstance(options, Settings) else "policy" in options
    if "policy" in coming or known:
        return str(chosen)
    return GROUP if coming.get("group_passphrase", options.get("group_passphrase", "")) else EVERYONE


def check_policy(options: Settings | Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> None:
    """
    Check that a group has a passphrase.

    :raises SettingError: one line, when it has none.
    """
    passphrase = (changes or {}).get("group_passphrase", options.get("group_passphrase", ""))
    if effective_policy(options, changes) == GROUP and not passphrase:
        msg = "policy is group, but there is no passphrase: set group_passphrase, or policy to everyone or friends"
        raise SettingError(msg)


def checked_from_the_start(untrusted: str, *, strangers: bool, named: bool) -> bool:
    """
    Tell whether every packet of a transfer is checked from the first on.

    :param untrusted: the setting.
    :param strangers: whether somebody may take part whom the user did not choose.
    :param named: whether somebody is there who was caught sending bad data not long ago: then whatever is set.
    """
    return named or untrusted not in (NOBODY, STRANGERS) or (untrusted == STRANGERS and strangers)
