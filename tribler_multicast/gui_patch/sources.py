"""
The sources of Tribler's user interface, changed for those who build it themselves, and changed back byte for byte.

What was done is kept in a record, a value that becomes JSON, so that an earlier version of these edits, or one that
was interrupted, can be taken out as well: file -> the additions, and hash and time of change of the file before them.
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

from .edits import EDITS, KNOWN, added_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .edits import Edit

SIGN = "src/Router.tsx"
"""The file by which sources of a user interface are known."""


class PatchError(Exception):
    """
    These sources are others than the known ones: one line for the user. Nothing was changed.
    """


class Plan(NamedTuple):
    """
    What the files are to be, and the record of it.
    """

    files: dict[str, bytes]
    record: dict[str, Any]


def find_sources(package: Path) -> Path | None:
    """
    Get the folder ``ui`` of Tribler's package where it has its sources; None in a Tribler that came built.
    """
    folder = package / "ui"
    return folder if (folder / SIGN).is_file() and (folder / "package.json").is_file() else None


def plan(ui: Path, earlier: Mapping[str, Any]) -> Plan:
    """
    Work out what the files are with the additions.

    :param earlier: the record of what may be in them already.
    :raises PatchError: when they are not the sources that the additions were made for, or may not be written to.
    """
    files: dict[str, bytes] = {}
    record: dict[str, Any] = {}
    for name, edits in EDITS.items():
        path = ui / name
        try:
            content, state = path.read_bytes(), path.stat()
        except OSError as error:
            raise PatchError(f"{path}: {error.strerror}; known is the user interface of {KNOWN}") from None
        if not os.access(path, os.W_OK):
            raise PatchError(f"you may not write to {path}")
        known: dict[str, Any] = earlier.get(name, {})
        old = [str(text) for text in known.get("additions", [])]
        texts = [edit.text for edit in edits]
        clean = without(content, [*old, *texts])
        digest = hashlib.sha256(clean).hexdigest()
        same = known.get("digest") == digest
        record[name] = {"additions": sorted({*old, *texts}), "digest": digest,
                        "changed": known["changed"] if same else state.st_mtime_ns}
        files[name] = _with(path, clean, edits)
    for name, content in added_files().items():
        path = ui / name
        known = earlier.get(name, {})
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() not in \
                {known.get("added"), hashlib.sha256(content).hexdigest()}:
            raise PatchError(f"{path} is there already, and not put there by tribler-multicast")
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise PatchError(f"you may not write to {path.parent}, or it is not there")
        record[name] = {"added": hashlib.sha256(content).hexdigest()}
        files[name] = content
    return Plan(files, record)


def _newline(content: bytes) -> bytes:
    """
    How lines end in a file: a checkout on Windows may have changed it.
    """
    return b"\r\n" if b"\r\n" in content else b"\n"


def _bytes(text: str, content: bytes) -> bytes:
    """
    A text as it stands in a file.
    """
    return text.encode().replace(b"\n", _newline(content))


def _with(path: Path, content: bytes, edits: Iterable[Edit]) -> bytes:
    """
    The content with all additions.
    """
    for edit in edits:
        anchor = _bytes(edit.after, content)
        if content.count(anchor) != 1:
            words = " ".join(edit.after.split())
            raise PatchError(f"{path} is not the one of {KNOWN}: it has {content.count(anchor)} times: {words}")
        at = content.index(anchor) + len(anchor)
        content = content[:at] + _bytes(edit.text, content) + content[at:]
    return content


def without(content: bytes, additions: Iterable[str]) -> bytes:
    """
    The content without the additions that are in it. Longer ones go first, because a shorter one may be part of one.
    """
    for text in sorted(set(additions), key=len, reverse=True):
        addition = _bytes(text, content)
        if content.count(addition) == 1:
            content = content.replace(addition, b"")
    return content


def is_done(ui: Path, wanted: Plan) -> bool:
    """
    Are all files as they are to be?
    """
    return all((ui / name).is_file() and (ui / name).read_bytes() == content
               for name, content in wanted.files.items())


def apply(ui: Path, wanted: Plan) -> None:
    """
    Make the files what they are to be. Interrupted, it goes on where it was. Raises OSError.
    """
    for name, content in wanted.files.items():
        path = ui / name
        if not path.is_file() or path.read_bytes() != content:
            _replace(path, content, None)


def revert(ui: Path, record: Mapping[str, Any]) -> list[str]:
    """
    Take all additions out; return one line for each that somebody changed, which stays. Raises OSError.
    """
    left = []
    for name in sorted({*record, *EDITS, *added_files()}):
        path, known = ui / name, record.get(name, {})
        if not path.is_file():
            continue
        content = path.read_bytes()
        if name in EDITS or "additions" in known:
            texts = [*known.get("additions", []), *(edit.text for edit in EDITS.get(name, ()))]
            clean = without(content, texts)
            if any(_bytes(text, clean) in clean for text in texts):
                left.append(f"{path} was changed by hand: what tribler-multicast added there stays")
            as_before = hashlib.sha256(clean).hexdigest() == known.get("digest")
            if clean != content:
                _replace(path, clean, known.get("changed") if as_before else None)
        elif hashlib.sha256(content).hexdigest() in {known.get("added"), _digest_of_added(name)}:
            path.unlink()
        else:
            left.append(f"{path} was changed by hand: it stays")
    return left


def _digest_of_added(name: str) -> str:
    return hashlib.sha256(added_files().get(name, b"")).hexdigest()


def _replace(path: Path, content: bytes, changed: int | None) -> None:
    """
    Replace a file in one step; its mode and, where that may be, its owner stay. `changed`: its time of change (ns),
    default now.
    """
    new = path.with_name(f"{path.name}.new~")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    like = path if path.exists() else path.parent
    if path.exists():
        shutil.copymode(path, new)
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):  # not root: then it is ours anyway
            os.chown(new, like.stat().st_uid, like.stat().st_gid)
    if changed is not None:
        os.utime(new, ns=(changed, changed))
    os.replace(new, path)
