"""
From the settings to the seal of the group; loads the sealing library only where there is a group.
"""
from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..policy import GROUP, check_policy, effective_policy
from ..protocol.limits import FOREIGN_SEAL_MEMORY
from ..settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..protocol.core import MulticastProtocol
    from ..protocol.sealing import Seal
    from ..settings import Settings


def check_group(options: Settings | Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> None:
    """
    Check that these settings, after these changes, can be put into effect as far as groups go.

    :raises SettingError: one line, when a group has no passphrase, or nothing can be sealed here.
    """
    check_policy(options, changes)
    if effective_policy(options, changes) == GROUP:
        from ..protocol.sealing import SealingError, load_library  # noqa: PLC0415 (only groups need it)

        try:
            load_library()
        except SealingError as e:
            msg = f"policy is group, but {e}"
            raise SettingError(msg) from e


@dataclass(frozen=True)
class GroupStatus:
    """
    How the group is that this node is in. `foreign_at` (Unix seconds) and `foreign_from` (an IP address): when and from
    where something sealed came last that did not open; `warning`: one line about that while it is recent.
    """

    foreign_at: float | None = None
    foreign_from: str | None = None
    warning: str | None = None


def foreign_seal_line(ip: str) -> str:
    """
    Say that somebody here seals with another passphrase.
    """
    return (f"{ip} seals with another passphrase than this node: if you expect it among your peers, compare "
            "group_passphrase on both")


async def make_seal(options: Settings | Mapping[str, Any]) -> Seal | None:
    """
    Get the seal of the group that these settings name, None for none. The key is worked out in a thread.

    :raises SettingError: one line, when there should be a seal and can't be one.
    """
    if effective_policy(options) != GROUP:
        return None
    check_group(options)
    return await asyncio.to_thread(_seal, str(options.get("group_passphrase")))


def _seal(passphrase: str) -> Seal:
    """
    Work out the key.
    """
    from ..protocol.sealing import Seal, SealingError, group_key, load_library  # noqa: PLC0415

    try:
        library = load_library()
        return Seal(group_key(passphrase, library), library)
    except SealingError as e:
        raise SettingError(str(e)) from e


class Grouping:
    """
    Lets a community that drives a protocol instance be in a group.
    """

    core: MulticastProtocol
    options: Mapping[str, Any]

    def group(self) -> GroupStatus | None:
        """
        Get how the group is that this node is in, None when it is in none.
        """
        group = self.core.group
        if group.seal is None:
            return None
        if group.foreign is None:
            return GroupStatus()
        age, ip = asyncio.get_running_loop().time() - group.foreign.time, group.foreign.source[0]
        return GroupStatus(time.time() - age, ip, foreign_seal_line(ip) if age <= FOREIGN_SEAL_MEMORY else None)

    async def stop(self) -> None:
        """
        Say goodbye and close the LAN.
        """
        raise AssertionError

    def pump(self) -> None:
        """
        Send what the protocol says, act on what happened.
        """
        raise AssertionError

    async def take_seal(self) -> None:
        """
        Use the seal of the settings, unless it is the one in use.

        :raises SettingError: one line, when there should be a seal and can't be one.
        """
        seal = await make_seal(self.options)
        mine = self.core.group.seal
        if (seal and seal.group_key) != (mine and mine.group_key):
            self.core.set_seal(seal, asyncio.get_running_loop().time())

    async def change_group(self) -> bool:
        """
        Go into the group of the settings, or out of it. When that fails we fall silent: never unsealed by accident.

        :return: whether this node still runs.
        """
        try:
            await self.take_seal()
        except Exception:
            await self.stop()
            raise
        self.pump()
        return self.core.started is not None
