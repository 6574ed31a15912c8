"""
What the doctor finds about the group that this node is in: its passphrase, others with another one, the library.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..policy import GROUP, SHORT_PASSPHRASE, check_policy, effective_policy
from ..protocol.sealing import SealingError, load_library
from ..settings import SettingError
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..community.grouping import GroupStatus
    from ..settings import Settings


def group(options: Settings, status: GroupStatus | None = None) -> Iterator[Finding]:
    """
    Is this node in a group, and is anything wrong with that?
    """
    passphrase = options["group_passphrase"]
    if effective_policy(options) != GROUP:
        if passphrase:
            yield Finding(f"there is a passphrase, but this node is in no group: policy is {options['policy']}", "info",
                          "To be in the group: tribler-multicast settings policy=group")
        return
    try:
        check_policy(options)
    except SettingError as error:
        yield Finding(str(error), "error", "tribler-multicast settings group_passphrase=...")
        return
    yield Finding("this node is in a group: only nodes with the same passphrase see it", "ok")
    if len(passphrase) < SHORT_PASSPHRASE:
        yield Finding(f"the passphrase of the group has fewer than {SHORT_PASSPHRASE} characters", "warning",
                      "Who records this network can try passphrases at home: take four random words or more, the "
                      "same on all nodes of the group.")
    if status is not None and status.warning is not None:
        yield Finding(status.warning, "warning",
                      "On both: tribler-multicast settings group_passphrase=... Capitals and spaces count.")


def sealing(options: Settings) -> Iterator[Finding]:
    """
    Which library can seal messages for a group?
    """
    try:
        yield Finding(f"messages can be sealed with {load_library().name}", "ok")
    except SealingError:
        needed = effective_policy(options) == GROUP
        yield Finding("there is no library to seal messages with (libnacl with libsodium, or PyNaCl)",
                      "error" if needed else "info",
                      "pip install PyNaCl" if needed else "Only needed for groups: pip install PyNaCl")
