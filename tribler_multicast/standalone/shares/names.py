"""
Names: which files and folders are never shared, which words a name is found by, and how others see it.

Names are bytes of anybody's making. Words are folded here and not by SQLite, whose ``unicode61`` knows an old Unicode,
no emoji, and takes a Chinese or Japanese name for one long word. What it folds is folded alike: upper and lower case,
composed and decomposed letters, and diacritics. The index then splits at spaces only.
"""
from __future__ import annotations

import re
import unicodedata
from typing import Final

from .limits import MAX_WORDS

UNFINISHED: Final = (
    ".part", ".partial", ".parts", ".crdownload", ".download", ".opdownload", ".aria2", ".!ut", ".!qb", ".!bt", ".bc!",
    ".jc!", ".td", ".xltd", ".filepart", ".dtapart", ".unfinished", ".incomplete", ".tmp", ".temp", ".swp")
"""Endings of files that a browser, a BitTorrent client, a copying program or an editor has not finished."""

CONTROL: Final = b".aria2"
"""aria2 gives an unfinished file its last name at once; what tells is a control file of this ending beside it."""

SYSTEM_FOLDERS: Final = frozenset({
    "lost+found", "$recycle.bin", "#recycle", "@recycle", "recycler", "system volume information", "@eadir",
    "__macosx", "#snapshot", "@tmp"})
SYSTEM_FILES: Final = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"})
"""What systems, NAS above all, put beside the files of their users: deleted files and previews among it."""

REPLACED: Final = "\ufffd"
BREAKING: Final = ("Cc", "Cs", "Zl", "Zp")
JOINED: Final = re.compile("(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
ASCII_WORD: Final = re.compile("[a-z0-9]+")

# Ideographs, kana and their extensions: written without spaces, so that each is a word.
UNSPACED: Final = ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
                   (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))

# Combining classes of marks that people leave out when they type: Hebrew and Arabic vowels, accents. Not the signs of
# Indian scripts and Thai, and not the voicing of kana, without which it is another word.
DROPPED: Final = frozenset({*range(10, 36), *range(200, 241)})


def is_shared_file(name: bytes) -> bool:
    """
    May a file of this name be shared? Not hidden ones, unfinished downloads and what systems put there.
    """
    lower = name.lower()
    return not (name.startswith((b".", b"~$")) or name.endswith(b"~") or lower.endswith(_UNFINISHED)
                or lower in _SYSTEM_FILES)


def is_shared_folder(name: bytes) -> bool:
    """
    May what is in a folder of this name be shared? Not what is hidden, the trash and what systems put there.
    """
    return not name.startswith(b".") and name.lower() not in _SYSTEM_FOLDERS


_UNFINISHED: Final = tuple(ending.encode() for ending in UNFINISHED)
_SYSTEM_FILES: Final = frozenset(name.encode() for name in SYSTEM_FILES)
_SYSTEM_FOLDERS: Final = frozenset(name.encode() for name in SYSTEM_FOLDERS)


def shown(name: bytes) -> str:
    """
    Get the text of a name, as others see it: in one line, what is not UTF-8, and control characters, replaced.
    """
    text = name.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(REPLACED if unicodedata.category(character) in BREAKING else character for character in text)


def words_of(text: str) -> list[str]:
    """
    Get the words of a text, folded.
    """
    if text.isascii():
        return ASCII_WORD.findall(text.lower())
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join(character for character in decomposed if unicodedata.combining(character) not in DROPPED)
    return "".join(_spaced(character) for character in unicodedata.normalize("NFC", kept)).split()


def _spaced(character: str) -> str:
    """
    Get what a folded character is in a text of words: itself, a word of its own, or a space.
    """
    category = unicodedata.category(character)
    if category == "So" or (category[0] == "L" and _is_unspaced(ord(character))):
        return f" {character} "
    return character if category[0] in "LNM" or category == "Co" else " "


def _is_unspaced(code: int) -> bool:
    return any(first <= code <= last for first, last in UNSPACED)


def index_words(text: str) -> str:
    """
    Get the words that a name is found by, for the index: also those that it has without a space, `IMG1234`, `MyFile`.
    """
    words = words_of(text)
    apart = words_of(JOINED.sub(" ", text))
    if apart != words:
        words += [word for word in apart if word not in words]
    return " ".join(words)


def query_terms(text: str) -> list[str]:
    """
    Get the words of a search as terms of FTS5, each once: quoted, so that nothing in them is syntax. Neighbours that
    are written without spaces are one phrase.
    """
    terms: dict[str, None] = {}
    run: list[str] = []
    for word in [*words_of(text), ""]:
        if len(word) == 1 and _is_unspaced(ord(word)):
            run.append(word)
            continue
        if run:
            terms[f'"{" ".join(run)}"'] = None
            run = []
        if word:
            terms[f'"{word}"'] = None
    return list(terms)[:MAX_WORDS]
