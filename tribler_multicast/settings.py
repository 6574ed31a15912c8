"""
Every setting, once: name, type, unit, default, limits and a line of help.

The command line, the environment, the settings file, the REST API and the settings page all read the one table
``SETTINGS``. Stronger first: command line, environment, file, default. A change made while running (``update``) counts
at once, whatever the command line said, and is what belongs in the file; at the next start the command line is the
stronger one again.

A word for each of two readers: text (command line, environment) is *parsed*; values (file, REST) must already have
the right type, so that ``{"port": "80"}`` is a mistake that is told and not one that is guessed at.
"""

from __future__ import annotations

import logging
import math
import re
import unicodedata
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

ENVIRONMENT_PREFIX = "TRIBLER_MULTICAST_"

ValueType = type[bool] | type[int] | type[float] | type[str] | type[list[str]]

# Longest value repeated in an error message: the message must stay one readable line whatever was sent to us.
MAX_SHOWN = 40
# Longest name of a network interface in bytes. Linux allows 15, Windows shows "friendly names" of up to 256.
MAX_INTERFACE_NAME = 256
# Longest path of a shared folder in bytes: PATH_MAX of Linux.
MAX_FOLDER = 4096
# The control port is the first free one of this many: a firewall needs one range, and several nodes fit on a host.
CONTROL_PORTS = 16

# Direction overrides and isolates: they can make one name look like another on a page or terminal.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

VISIBILITIES = ("visible", "listen", "off")
HARDWARE_ADDRESS = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}", re.ASCII)

INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)

TYPE_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list of names"}


class SettingError(ValueError):
    """
    A setting that does not exist or a value it cannot have. The message is one line for the user.
    """


@dataclass(frozen=True)
class Setting:
    """
    One setting.

    ``minimum`` and ``maximum`` bound the value of a number, the UTF-8 bytes of a text and the number of names in a list
    (None: no bound). ``needs_restart`` means a change is kept but counts from the next start. A ``secret`` value is
    never shown again.
    """

    name: str
    type: ValueType
    unit: str
    default: Any
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...] | None
    help: str
    needs_restart: bool
    secret: bool = False


def _table(*settings: Setting) -> dict[str, Setting]:
    return {setting.name: setting for setting in settings}


SETTINGS: dict[str, Setting] = _table(
    Setting("enabled", bool, "", True, None, None, None,
            "Take part in the local network: introduce this node and listen to others.", False),
    Setting("nickname", str, "", "", 0, 64, None,
            "Name shown to the other nodes on the local network (at most 64 bytes of UTF-8); empty: none.", False),
    Setting("interfaces", list, "", (), 0, 64, None,
            "Network interfaces to use, by name; empty: all usable ones. Only lo: nodes on this machine only.", False),
    Setting("interfaces_deny", list, "", (), 0, 64, None,
            "Network interfaces never to use, by name; stronger than interfaces.", False),
    Setting("ipv4", bool, "", True, None, None, None, "Use IPv4 multicast.", False),
    Setting("ipv6", bool, "", True, None, None, None, "Use IPv6 multicast.", False),
    Setting("visibility", str, "", "visible", None, None, VISIBILITIES,
            "On networks not in visibility_networks: visible, listen (hears, says nothing, lists nobody) or off.",
            False),
    Setting("visibility_networks", list, "", (), 0, 64, None,
            "Visibility by network, as GATEWAY=visibility: the IP or hardware address of its gateway, see status.",
            False),
    Setting("introduction_interval", float, "seconds", 5.0, 1, 60, None,
            "Shortest time between two introductions of this node; on a large network it grows by itself.", False),
    Setting("port", int, "", 32109, 1024, 65535, None,
            "UDP port of the multicast group; the same on all nodes of a network.", True),
    Setting("control_port", int, "", 32110, 1024, 65535 - CONTROL_PORTS, None,
            "First of the 16 UDP ports of which this node takes a free one for its own messages.", True),
    Setting("log_level", str, "", "warning", None, None, ("debug", "info", "warning", "error"),
            "How much this node writes to its log.", False),
    Setting("policy", str, "", "everyone", None, None, ("everyone", "friends", "group"),
            "Who may talk with this node: everyone; friends (others get introductions and may ask); or group, the "
            "holders of group_passphrase, unreadable to all others. Not set: group if there is a passphrase.", False),
    Setting("group_passphrase", str, "", "", 0, 1024, None,
            "Passphrase of the group that this node is in, the same on all its nodes; at least 12 characters are good. "
            "Never shown again; empty: none.", False, secret=True),
    Setting("weather", bool, "", True, None, None, None,
            "Tell the other nodes coarsely what this one does and how full the gateway is, hear of theirs, and step "
            "aside. Nothing of it goes beyond the first routers of the provider.", False),
    Setting("step_aside", bool, "", True, None, None, None,
            "Bulk traffic of this node makes room when another node streams, or the gateway is full.", False),
    Setting("room_for_others", bool, "", True, None, None, None,
            "Other programs on this machine get room too, such as a video call.", False),
    Setting("least_share", float, "", 0.1, 0.01, 1, None,
            "Part of this node's fair share of the gateway that nobody takes from it.", False),
    Setting("search_local_peers", int, "", 10, 0, 20, None,
            "Local peers that a search in Tribler always asks, friends first; it asks 20 peers in all.", False),
    Setting("coded", bool, "", True, None, None, None,
            "Take part in coded transfers: one stream on the wire serves all who want the same file or folder.", True),
    Setting("subscribe_folder", str, "", "", 0, 4096, None,
            "Where what followed neighbours publish goes; empty: the folder for downloads.", False),
    Setting("subscribe_size", int, "bytes", 20 * 2**30, 0, 2**44, None,
            "Largest file or folder that is received of followed neighbours; 0: any.", False),
    Setting("cooperate", bool, "", True, None, None, None,
            "Those who receive the same give each other what they lack, and this node gives what it has.", False),
    Setting("untrusted", str, "", "nobody", None, None, ("nobody", "strangers", "everyone"),
            "Whose packets of a transfer are checked from the first on, not only once a segment was bad: nobody; "
            "strangers (where the policy is everyone); or everyone.", False),
    Setting("share", list, "", (), 0, 64, None,
            "Folders whose files others on the local network may find and get (standalone nodes).", False),
    Setting("download_folder", str, "", "", 0, 4096, None,
            "Where downloads go (standalone nodes); empty: downloads in the state directory.", False),
    Setting("torrent_port", int, "", 0, 0, 65535, None,
            "TCP and UDP port of BitTorrent (standalone nodes); 0: the first free one from 32126 on, then the same at "
            "each start.", True),
    Setting("upload_rate", int, "bytes/s", 0, 0, 2**40, None,
            "Most that all torrents upload together (standalone nodes); 0: no limit.", False),
    Setting("download_rate", int, "bytes/s", 0, 0, 2**40, None,
            "Most that all torrents download together (standalone nodes); 0: no limit.", False),
    Setting("transfer_rate", int, "bytes/s", 0, 0, 2**40, None,
            "Most that coded transfers send on one link, all together; 0: no limit but what others on it need.", False),
    Setting("connections", int, "", 200, 2, 5000, None,
            "BitTorrent connections at most (standalone nodes); how many of them are used follows what the link and "
            "the router bear.", False),
    Setting("dht", bool, "", False, None, None, None,
            "Find BitTorrent peers on the internet by DHT (standalone nodes); never for what comes from the local "
            "network.", False),
    Setting("tracker_enabled", bool, "", False, None, None, None,
            "Serve a BitTorrent tracker: clients of any make that announce themselves to it find those of the local "
            "network.", False),
    Setting("tracker_host", str, "", "127.0.0.1", 1, 64, None,
            "IP address where it is served: 127.0.0.1 for this machine alone, 0.0.0.0 for the local network.", False),
    Setting("tracker_port", int, "", 6969, 1, 65535, None, "TCP port of the tracker.", False),
    Setting("feed_interval", float, "minutes", 30.0, 0.05, 10080, None,
            "Time between two looks at a feed that does not say when to look again.", False),
    Setting("feed_port", int, "", 0, 0, 65535, None,
            "TCP port at which the feed of this node's own torrents is served to everybody who can reach it; 0: "
            "nowhere.", False),
    Setting("feed_upload_url", str, "", "", 0, 2048, None,
            "Where each torrent that is published is sent to by HTTP, with {name} and {infohash} filled in; empty: "
            "nowhere.", False),
    Setting("feed_upload_method", str, "", "PUT", None, None, ("PUT", "POST"),
            "How it is sent: PUT (the file is the body) or POST (as a form's file).", False),
    Setting("feed_upload_token", str, "", "", 0, 1024, None,
            "Sent along as Authorization: Bearer; empty: nothing.", False, secret=True),
)


UNSET_MATTERS = frozenset({"policy"})
"""Settings for which "not set" means another thing than their default: setting one to that is a change."""


def shown(value: object) -> str:
    """
    The value as it may stand in a one-line message: printable ASCII, at most ``MAX_SHOWN`` characters.
    """
    # Cut before and after: escaping can make ten characters of one, and a megabyte must not be escaped to be cut.
    try:
        text = ascii(value[:MAX_SHOWN]) if isinstance(value, str) else ascii(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of lists in each other
        text = f"such a large {type(value).__name__}"
    too_long = len(text) > MAX_SHOWN or (isinstance(value, str) and len(value) > MAX_SHOWN)
    return text[:MAX_SHOWN] + "..." if too_long else text


def parse(setting: Setting, value: object) -> Any:  # noqa: ANN401
    """
    The value of a setting from what a user wrote: ``true``/``false``, a number, a comma-separated list, a text.

    Anything but a text must already have the setting's type, as for ``check``. Raises SettingError.
    """
    if not isinstance(value, str) or setting.type is str:
        return check(setting, value)
    text = value.strip()
    parsed: object = None
    if setting.type is bool:
        parsed = {"true": True, "false": False}.get(text.lower())
    elif setting.type is int and INTEGER.fullmatch(text):
        parsed = int(text)
    elif setting.type is float and DECIMAL.fullmatch(text):
        parsed = float(text)
    elif setting.type is list:
        parsed = [name.strip() for name in text.split(",")] if text else []
    if parsed is None:
        raise _wrong_type(setting, value)
    return check(setting, parsed)


def check(setting: Setting, value: object) -> Any:  # noqa: ANN401
    """
    The value itself if it has the setting's type and lies in its limits. Raises SettingError.

    A whole number is good for a decimal setting; true and false are no numbers.
    """
    if setting.type is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        value = float(value)
    if setting.type is list and isinstance(value, (list, tuple)):
        value = list(value)
    if type(value) is not setting.type:
        raise _wrong_type(setting, value)
    if isinstance(value, str):
        _check_text(setting, value)
    elif isinstance(value, list):
        return _checked_names(setting, value)
    elif not isinstance(value, bool):
        assert isinstance(value, (int, float))
        _check_number(setting, value)
    return value


def _wrong_type(setting: Setting, value: object) -> SettingError:
    got = "" if setting.secret else f", not {shown(value)}"
    return SettingError(f"{setting.name} must be {TYPE_WORDS[setting.type]}{got}")


def _check_number(setting: Setting, value: float) -> None:
    low = -math.inf if setting.minimum is None else setting.minimum
    high = math.inf if setting.maximum is None else setting.maximum
    if not low <= value <= high or value in (math.inf, -math.inf):
        unit = f" {setting.unit}" if setting.unit else ""
        message = (f"{setting.name} must be from {setting.minimum} to {setting.maximum}{unit}, "
                   f"not {shown(value)}")
        raise SettingError(message)


def _check_text(setting: Setting, value: str) -> None:
    if setting.choices is not None and value not in setting.choices:
        message = f"{setting.name} must be one of {', '.join(setting.choices)}, not {shown(value)}"
        raise SettingError(message)
    if _has_controls(value):
        message = f"{setting.name} must not contain control characters"
        raise SettingError(message)
    size = len(value.encode())
    if setting.maximum is not None and size > setting.maximum:
        message = f"{setting.name} must be at most {setting.maximum} bytes, not {size}"
        raise SettingError(message)
    if setting.minimum is not None and size < setting.minimum:
        message = f"{setting.name} must be at least {setting.minimum} bytes"
        raise SettingError(message)


def _has_controls(text: str) -> bool:
    # Cc: C0 and C1 (terminal escapes). Cs: lone surrogates, which no UTF-8 can carry. Zl, Zp: line breaks.
    return any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI_CONTROLS
               for character in text)


def network_rule(text: str) -> tuple[str, str]:
    """
    The gateway, written the one way, and the visibility in an entry of ``visibility_networks``. Raises ValueError.
    """
    gateway, _, visibility = text.rpartition("=")
    gateway, visibility = gateway.strip(), visibility.strip()
    if visibility not in VISIBILITIES:
        raise ValueError(text)
    if HARDWARE_ADDRESS.fullmatch(gateway):
        return gateway.lower().replace("-", ":"), visibility
    return str(ip_address(gateway.partition("%")[0])), visibility


def _check_networks(setting: Setting, entries: list[str]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        try:
            gateway, visibility = network_rule(entry)
        except ValueError:
            message = (f"{setting.name} must have entries such as 192.168.1.1=listen or 02:00:5e:10:00:01=off, "
                       f"not {shown(entry)}")
            raise SettingError(message) from None
        if seen.setdefault(gateway, visibility) != visibility:
            message = f"{setting.name} must not name {gateway} twice"
            raise SettingError(message)


def _checked_names(setting: Setting, names: list[object]) -> list[str]:
    if setting.maximum is not None and len(names) > setting.maximum:
        message = f"{setting.name} must have at most {setting.maximum} names, not {len(names)}"
        raise SettingError(message)
    checked: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            raise _wrong_type(setting, names)
        # Folders have any name, of other programs' making: only as a text, on a command line, can't they have a comma.
        folder = setting.name == "share"
        if not name or _has_controls(name) or (not folder and (name != name.strip() or "," in name)):
            message = f"{setting.name} must not contain the name {shown(name)}"
            raise SettingError(message)
        if len(name.encode()) > (most := MAX_FOLDER if folder else MAX_INTERFACE_NAME):
            message = f"{setting.name} must have names of at most {most} bytes"
            raise SettingError(message)
        checked[name] = None
    if setting.name == "visibility_networks":
        _check_networks(setting, list(checked))
    return list(checked)


class Settings:
    """
    The values in force, and where each came from.

    ``file`` holds values with their types, ``environment`` is an ``os.environ`` (None: empty), ``command_line`` holds
    texts by setting name, or values that have their types already. A name that the command line or ``update`` gives
    must exist; an unknown one in the file or the environment is said in the log and otherwise left alone, because it
    may belong to another version of this program. Raises SettingError, one line, on the first wrong value.
    """

    def __init__(self, file: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None,
                 command_line: Mapping[str, object] | None = None) -> None:
        """
        Read the three sources. See the class.
        """
        self._subscribers: list[Callable[[set[str]], None]] = []
        self._unknown_in_file = {name: value for name, value in (file or {}).items() if name not in SETTINGS}
        self._file = {name: self._read(check, SETTINGS[name], value, "settings.json")
                      for name, value in (file or {}).items() if name in SETTINGS}
        self._overrides: dict[str, tuple[str, Any]] = {}
        unknown = sorted(f"{shown(name)} in settings.json" for name in self._unknown_in_file)
        for variable, text in (environment or {}).items():
            if not variable.startswith(ENVIRONMENT_PREFIX):
                continue
            name = variable[len(ENVIRONMENT_PREFIX):].lower()
            if name not in SETTINGS:
                unknown.append(f"{shown(variable)} in the environment")
                continue
            self._overrides[name] = ("environment", self._read(parse, SETTINGS[name], text, variable))
        for name, value in (command_line or {}).items():
            self._overrides[name] = ("command line", parse(self._known(name), value))
        if unknown:
            logger.warning("Unknown settings ignored: %s", ", ".join(unknown))

    @staticmethod
    def _read(reader: Callable[[Setting, object], Any], setting: Setting, value: object, where: str) -> Any:  # noqa: ANN401
        try:
            return reader(setting, value)
        except SettingError as error:
            message = f"{where}: {error}"
            raise SettingError(message) from None

    @staticmethod
    def _known(name: object) -> Setting:
        if not isinstance(name, str) or name not in SETTINGS:
            message = f"there is no setting {shown(name)}"
            raise SettingError(message)
        return SETTINGS[name]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        """
        The value in force; a list is the caller's own copy. Raises KeyError where there is no such setting.
        """
        setting = SETTINGS[name]
        value = setting.default
        if name in self._overrides:
            value = self._overrides[name][1]
        elif name in self._file:
            value = self._file[name]
        return list(value) if setting.type is list else value

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """
        The value in force, or ``default`` where there is no such setting.
        """
        return self[name] if name in SETTINGS else default

    def source(self, name: str) -> str:
        """
        Where the value in force came from: "command line", "environment", "file" or "default".
        """
        SETTINGS[name]  # the same KeyError as for the value
        if name in self._overrides:
            return self._overrides[name][0]
        return "file" if name in self._file else "default"

    def update(self, changes: Mapping[str, object]) -> None:
        """
        Change settings while running: all of them, or none and a SettingError of one line.

        The new values count at once and become the file's; who subscribed is told the names whose value changed.
        """
        if not hasattr(changes, "items"):
            message = f"settings must be an object of names and values, not {shown(changes)}"
            raise SettingError(message)
        checked = {name: check(self._known(name), value) for name, value in changes.items()}
        changed = {name for name, value in checked.items()
                   if value != self[name] or (name in UNSET_MATTERS and self.source(name) == "default")}
        self._file.update(checked)
        for name in checked:
            self._overrides.pop(name, None)
        if changed:
            self._tell(changed)

    def _tell(self, changed: set[str]) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber(set(changed))
            except Exception:
                # One part that cannot follow a change must not keep the others from it.
                logger.exception("A part failed to follow a change of settings")

    def subscribe(self, subscriber: Callable[[set[str]], None]) -> None:
        """
        Call ``subscriber`` with the names that changed, after each update that changed something.
        """
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Callable[[set[str]], None]) -> None:
        """
        Take a subscriber back; one that is not there is no error.
        """
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def file_values(self) -> dict[str, Any]:
        """
        What belongs in ``settings.json``: what it held, unknown names included, and what ``update`` set since.
        """
        values = {name: list(value) if isinstance(value, list) else value for name, value in self._file.items()}
        return {**self._unknown_in_file, **values}

    def describe(self) -> list[dict[str, Any]]:
        """
        Every setting with its value and limits, ready for JSON. The value of a secret is null; `is_set` tells
        whether somebody gave one that is not empty.
        """
        return [{"name": setting.name,
                 "type": setting.type.__name__,
                 "unit": setting.unit,
                 "default": list(setting.default) if setting.type is list else setting.default,
                 "minimum": setting.minimum,
                 "maximum": setting.maximum,
                 "choices": None if setting.choices is None else list(setting.choices),
                 "help": setting.help,
                 "value": None if setting.secret else self[setting.name],
                 "is_set": self.source(setting.name) != "default" and bool(self[setting.name]),
                 "needs_restart": setting.needs_restart,
                 "source": self.source(setting.name)} for setting in SETTINGS.values()]
