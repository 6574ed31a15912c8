"""
Names of files: what is allowed on the wire, how a publisher makes its own fit, and what they are called on this disk.

Three steps, so that a name off the wire can never lead out of its folder, and an odd one never stops an honest sender:

1. `checked_name` refuses what no publisher of ours sends: separators, ``.`` and ``..``, control characters, invisible
   and direction-changing ones, other than NFC, more than 255 bytes.
2. `wire_name` is what a publisher calls a file of its own: any name becomes one that passes 1.
3. `LocalNames` is what a receiver calls it: on Windows with no reserved names and characters; where the case of letters
   does not count, two names that differ in it only become two files.
"""
from __future__ import annotations

import re
import unicodedata
from typing import Final

from ..errors import ContentError
from ..limits import MAX_DEPTH, MAX_NAME, MAX_PATH

REPLACEMENT: Final = "_"
JOINERS: Final = frozenset("\u200c\u200d")
"""Zero-width non-joiner and joiner: invisible, but words in Persian and emoji are written with them."""
TAGS: Final = range(0xE0020, 0xE0080)
"""Tag characters: the flags of Scotland and Wales are written with them."""
REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format (direction changes among them), surrogates, line and paragraph separators."""

WINDOWS_CHARACTERS: Final = re.compile(r'[<>:"\\|?*]')
WINDOWS_RESERVED: Final = re.compile(
    "(?:CON|PRN|AUX|NUL|CLOCK\\$|CONIN\\$|CONOUT\\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])(?: *[.:].*| *)$",
    re.IGNORECASE | re.DOTALL)


def _is_refused(character: str) -> bool:
    return (character == "/" or (unicodedata.category(character) in REFUSED_CATEGORIES
            and character not in JOINERS and ord(character) not in TAGS))


def checked_name(raw: bytes) -> str:
    """
    Get the name of one file or folder from the wire.

    :raises ContentError: when it is none that a publisher sends.
    """
    if not 0 < len(raw) <= MAX_NAME:
        raise ContentError("a name is empty or too long")
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise ContentError("a name is not UTF-8") from None
    if name in {".", ".."} or (not name.isascii() and not unicodedata.is_normalized("NFC", name)):
        raise ContentError("a name is not in its canonical form")
    # Printable ASCII but the separator: nearly all names, and 20 times faster than a look at each character.
    if not (name.isascii() and name.isprintable() and "/" not in name) and any(map(_is_refused, name)):
        raise ContentError("a name has characters that are not allowed")
    return name


def checked_path(raw: bytes) -> str:
    """
    Get a path below the content's folder from the wire: names with ``/`` between them.

    :raises ContentError: when it is none that a publisher sends.
    """
    if len(raw) > MAX_PATH:
        raise ContentError("a path is too long")
    parts = raw.split(b"/")
    if len(parts) > MAX_DEPTH:
        raise ContentError("a path has too many folders")
    return "/".join(map(checked_name, parts))


def cut(name: str, size: int) -> str:
    """
    Cut a name to so many bytes of UTF-8, not within a character.
    """
    return name.encode()[:size].decode(errors="ignore")


def wire_name(name: str) -> str:
    """
    Get what a file of this system is called on the wire: bytes that are no text and characters that are not allowed are
    replaced, and it is written in NFC, whichever form the disk prefers.
    """
    text = name.encode(errors="surrogateescape").decode(errors="replace")
    text = "".join(REPLACEMENT if _is_refused(character) else character for character in text)
    text = unicodedata.normalize("NFC", text)
    if len(text.encode()) > MAX_NAME:
        stem, dot, suffix = text.rpartition(".")
        if not stem or len(suffix.encode()) > MAX_NAME // 2:
            stem, dot, suffix = text, "", ""
        text = cut(stem, MAX_NAME - len((dot + suffix).encode())) + dot + suffix
    return REPLACEMENT * max(1, len(text)) if text in {"", ".", ".."} else text


def windows_name(name: str) -> str:
    """
    Get what a file is called on Windows: no reserved characters and device names, no dot or space at the end.
    """
    name = WINDOWS_CHARACTERS.sub(REPLACEMENT, name)
    bare = name.rstrip(". ")
    name = bare + REPLACEMENT * (len(name) - len(bare))
    return REPLACEMENT + name if WINDOWS_RESERVED.match(name) else name


def numbered(name: str, number: int, *, is_folder: bool = False) -> str:
    """
    Get the second, third... name for the same: ``name (2).txt``. Names of folders have no suffix.
    """
    if number < 2:
        return name
    stem, dot, suffix = name.rpartition(".")
    if is_folder or not stem or " " in suffix or len(suffix) > 10:
        stem, dot, suffix = name, "", ""
    end = f" ({number}){dot}{suffix}"
    return cut(stem, MAX_NAME - len(end.encode())) + end


class LocalNames:
    """
    What the files of one content are called on this disk: depends on the paths and their order only, so that it is the
    same after a restart.
    """

    def __init__(self, *, windows: bool, ignores_case: bool) -> None:
        """
        :param windows: the names must fit Windows.
        :param ignores_case: names that differ in the case of letters only are the same file.
        """
        self.windows = windows
        self.ignores_case = ignores_case
        self._folders: dict[str, tuple[str, dict[str, str], dict[str, int]]] = {"": ("", {}, {})}

    def place(self, path: str) -> str:
        """
        Get the path of a file or folder below the content's folder, with ``/`` between names. Call it for each, in the
        order of the index.
        """
        above, _, name = path.rpartition("/")
        if above not in self._folders:
            self._folders[above] = (self.place(above) + "/", {}, {})
        prefix, named, taken = self._folders[above]
        if name not in named:
            named[name] = self._free(windows_name(name) if self.windows else name, taken)
        return prefix + named[name]

    def _free(self, name: str, taken: dict[str, int]) -> str:
        # A number per name, so that 100,000 spellings of one name take no quadratic time.
        number = taken.get(self._key(name), 0) + 1
        while number > 1 and self._key(numbered(name, number)) in taken:
            number += 1
        taken[self._key(name)] = number
        if number > 1:
            name = numbered(name, number)
            taken.setdefault(self._key(name), 1)
        return name

    def _key(self, name: str) -> str:
        return unicodedata.normalize("NFC", name.casefold()) if self.ignores_case or self.windows else name
