"""
The settings inside Tribler's configuration: section ``multicast``, changed through both doors.

One door is Tribler's own, ``POST /api/settings`` or anybody who calls ``config.set`` and ``config.write``; the other is
``PATCH /api/multicast/settings``. Both check, save and take effect at once. All settings stand in the section, because
``GET /api/settings`` shows what stands in the file and nothing else. Secrets never do: they have a file of their own,
readable by its owner only.
"""
from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..community.grouping import check_group
from ..durable import write_durably
from ..settings import SETTINGS, UNSET_MATTERS, SettingError, Settings, check
from .errors import find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

SECTION = "multicast"

SECRETS_FILE = "multicast_secrets.json"


def defaults() -> dict[str, Any]:
    """
    The section with every setting at its default, null where "not set" means a thing of its own; without secrets.
    """
    return {setting.name: default_of(setting.name) for setting in SETTINGS.values() if not setting.secret}


def default_of(name: str) -> Any:  # noqa: ANN401
    """
    The default of a setting as it stands in the section.
    """
    setting = SETTINGS[name]
    if name in UNSET_MATTERS:
        return None
    return list(setting.default) if setting.type is list else setting.default


class ConfigSettings:
    """
    The settings of the plugin in a ``TriblerConfigManager``.
    """

    def __init__(self, config: Any, environment: Mapping[str, str]) -> None:  # noqa: ANN401
        """
        Read the section; what is wrong in it is put back to its default, with a line in the log.

        :param environment: an ``os.environ``; stronger than the section.
        :raises MissingSymbolError: when this Tribler keeps its configuration in another way.
        """
        for name in ("configuration", "config_file", "get", "set", "write"):
            find(config, name)
        self.config = config
        self.secrets_path = Path(str(config.get("state_dir"))) / SECRETS_FILE
        section = config.configuration.setdefault(SECTION, {})
        if not isinstance(section, dict):
            logger.warning("The section %s of the configuration is damaged: all its settings are at their default",
                           SECTION)
            section = config.configuration[SECTION] = {}
        self.section: dict[str, Any] = section
        for name, default in defaults().items():
            section.setdefault(name, default)
        self.secrets = self._read_secrets()
        for values in (section, self.secrets):
            self._mend(values)
        chosen = {name: value for name, value in section.items() if name not in SETTINGS or value != default_of(name)}
        self.options = Settings(file={**chosen, **self.secrets}, environment=environment)
        self._pending: dict[str, Any] = {}

    @staticmethod
    def _mend(values: dict[str, Any]) -> None:
        for name in [name for name in values if name in SETTINGS and values[name] != default_of(name)]:
            try:
                values[name] = check(SETTINGS[name], values[name])
            except SettingError as error:
                values[name] = default_of(name)
                logger.warning("The configuration has %s/%s wrong (%s): it is at its default", SECTION, name, error)

    def _read_secrets(self) -> dict[str, Any]:
        try:
            values = json.loads(self.secrets_path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s cannot be read, so no secret setting is set: %s", self.secrets_path, error)
            return {}
        known = {name for name, setting in SETTINGS.items() if setting.secret}
        return {name: value for name, value in values.items() if name in known} if isinstance(values, dict) else {}

    # --- Our own door.

    def save(self, values: dict[str, Any]) -> None:
        """
        Make settings durable, in the section and in the file of secrets. Raises OSError, and then nothing is changed.
        """
        secret = {name: value for name, value in values.items() if name in SETTINGS and SETTINGS[name].secret}
        plain = {name: value for name, value in values.items() if name not in secret}
        earlier = dict(self.section)
        self.section.update(plain)
        try:
            self._write_configuration()
            self._write_secrets(secret)
        except BaseException:
            self.section.clear()
            self.section.update(earlier)
            raise

    def _write_configuration(self) -> None:
        """
        Write Tribler's file whole or not at all: a kill in between must not cost the user's settings.
        """
        path = Path(self.config.config_file)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        write_durably(path, [json.dumps(self.config.configuration, indent=4).encode()], mode)

    def _write_secrets(self, secrets: dict[str, Any]) -> None:
        if secrets != self.secrets:
            write_durably(self.secrets_path, [json.dumps(secrets, indent=4).encode()])
            self.secrets = secrets

    # --- Tribler's door.

    def refusal(self, updates: object) -> str | None:
        """
        Say why these updates of the section cannot be, None when they can.

        A user interface may send back all that it was shown: what is not ours and not changed is no mistake.
        """
        if not isinstance(updates, dict):
            return f"{SECTION} must be an object of names and values"
        changes = {name: value for name, value in updates.items()
                   if name not in self.section or self.section[name] != value}
        for name in changes:
            if name not in SETTINGS:
                return f"There is no setting {SECTION}/{str(name)[:60]}"
        try:
            changes = {name: check(SETTINGS[name], value) for name, value in changes.items()}
            if changes.keys() & {"policy", "group_passphrase"}:
                check_group(self.options, changes)
        except SettingError as error:
            return str(error)
        return None

    def take_secrets(self, updates: dict[str, Any]) -> None:
        """
        Take secrets out of checked updates, so that Tribler neither logs them nor keeps them; they count from the next
        ``config.write`` on. Raises OSError when they cannot be kept.
        """
        secret = {name: updates.pop(name) for name in list(updates) if name in SETTINGS and SETTINGS[name].secret}
        self._set(secret, self.config.set)

    def follow(self) -> None:
        """
        Take over what anybody sets and writes with the ``config`` itself, from now on.
        """
        config, set_option, write = self.config, self.config.set, self.config.write

        def set_checked(option: str, value: Any) -> None:  # noqa: ANN401
            section, _, name = option.partition("/")
            if section != SECTION:
                set_option(option, value)
            elif name:
                self._set({name: value}, set_option)
            else:
                self._set(dict(value), set_option)

        def write_and_apply() -> None:
            write()
            changes, self._pending = self._pending, {}
            self.options.update(changes)

        config.set, config.write = set_checked, write_and_apply

    def _set(self, values: dict[str, Any], set_option: Callable[[str, Any], None]) -> None:
        """
        Keep checked values until they are written. Raises SettingError.
        """
        for name, value in values.items():
            if name not in SETTINGS:
                set_option(f"{SECTION}/{name}", value)
                continue
            if name in self.section and self.section[name] == value:
                continue
            checked = check(SETTINGS[name], value)
            if SETTINGS[name].secret:
                self._write_secrets({**self.secrets, name: checked})
                self._pending[name] = checked
            else:
                self.section[name] = self._pending[name] = checked
