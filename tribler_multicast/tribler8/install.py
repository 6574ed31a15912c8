"""
``tribler-multicast install`` and ``uninstall``: the plugin inside a Tribler tree, and the tree as it was before.

Install puts the folder in first and the lines that load it second, uninstall goes the other way, each in steps that are
done or not done. So whenever either is killed, Tribler starts, and running install or uninstall once more ends what was
begun.
"""
from __future__ import annotations

import compileall
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from .. import __version__
from .bring import LEFT_OUT, PACKAGE, bring
from .gui import Gui, revert
from .trees import MANIFEST, InstallError, Tree, check_writable, recognise

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["InstallError", "install", "uninstall"]


def install(folder: Path) -> dict[str, Any]:
    """
    Put the plugin into a tree, also over an older one. Twice is as once.

    :returns: what was done: ``message``, ``tree``, ``kind``, ``version``, ``changed``, ``brought``, ``gui`` (are the
        sources of the user interface patched).
    :raises InstallError: with one line; the tree is unchanged then.
    """
    tree = recognise(folder)
    check_writable(tree)
    original, changed = tree.original()
    if changed is None:
        changed = tree.session.stat().st_mtime_ns if original is not None else 0
    hooked = tree.hooked(original, changed)
    gui = Gui(tree)
    try:
        clean(tree)
        brought = make_ready(tree)
        digest = digest_of(tree.new)
        manifest = {"version": __version__, "digest": digest, "brought": brought, "gui": gui.record}
        (tree.new / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        done = (same_plugin(tree, digest) and gui.done and tree.session.is_file()
                and tree.session.read_bytes() == hooked)
        if done:
            shutil.rmtree(tree.new)
        else:
            compile_for(tree)
            put(tree, hooked, gui)
    except OSError as error:
        with contextlib.suppress(OSError):
            clean(tree)
        raise InstallError(f"cannot write to {tree.core}: {error.strerror or error}") from error
    words = "is in place already" if done else "is in place; start Tribler as always"
    return {"message": f"tribler-multicast {__version__} {words}: {tree.plugin}{gui.words}",
            "tree": str(tree.package), "kind": kind_of(tree), "version": __version__, "changed": not done,
            "brought": brought, "gui": gui.plan is not None}


def uninstall(folder: Path) -> dict[str, Any]:
    """
    Take the plugin out of a tree, byte for byte. Where there is none, nothing is done.

    :returns: what was done: ``message``, ``tree``, ``kind``, ``changed``.
    :raises InstallError: with one line.
    """
    tree = recognise(folder)
    stays: list[str] = []
    there = tree.plugin.exists() or is_hooked(tree) or any(path.exists() for path in leftovers(tree))
    if there:
        check_writable(tree)
        try:
            unhook(tree)
            stays = revert(tree)
            if tree.plugin.exists():
                clean(tree)
                os.rename(tree.plugin, tree.old)
            clean(tree)
        except OSError as error:
            raise InstallError(f"cannot write to {tree.core}: {error.strerror or error}") from error
    words = "taken out of" if there else "was not in"
    said = f"tribler-multicast {'is ' if there else ''}{words} {tree.package}"
    return {"message": ". ".join([said, *stays]), "tree": str(tree.package), "kind": kind_of(tree), "changed": there}


def kind_of(tree: Tree) -> str:
    """
    Name the kind of a tree: `frozen`, or `source`.
    """
    return "frozen" if tree.frozen else "source"


def leftovers(tree: Tree) -> list[Path]:
    """
    List what a killed run may have left.
    """
    return [tree.new, tree.old, tree.session.with_name("session.py.new~")]


def clean(tree: Tree) -> None:
    """
    Remove what a killed run left.
    """
    for path in leftovers(tree):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def make_ready(tree: Tree) -> list[str]:
    """
    Make the folder under its preliminary name; return the names of what was brought along.
    """
    if tree.plugin.exists() and PACKAGE.samefile(tree.plugin):
        raise InstallError("this is the tribler-multicast of that very tree: use the one you installed it with")
    shutil.copytree(PACKAGE, tree.new, ignore=LEFT_OUT)
    brought = bring(tree, tree.new / "brought")
    for path in (tree.new, *tree.new.rglob("*")):  # installed by root, it is still to be read by everybody
        path.chmod(0o755 if path.is_dir() else 0o644)
    return brought


def digest_of(folder: Path) -> str:
    """
    The hash of all files of a plugin's folder, their names included; without what Python or we put there later.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and "__pycache__" not in name and name != MANIFEST:
            content = file.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def same_plugin(tree: Tree, digest: str) -> bool:
    """
    Is what is there whole and the same?
    """
    return (tree.plugin / MANIFEST).is_file() and digest_of(tree.plugin) == digest


def compile_for(tree: Tree) -> None:
    """
    Compile the modules for a frozen Tribler of our Python: its users may not write there, so each start would do it
    anew.
    """
    if tree.frozen and (tree.core / "session.pyc").read_bytes()[:4] == importlib.util.MAGIC_NUMBER:
        compileall.compile_dir(tree.new, quiet=2, stripdir=str(tree.new), prependdir=str(tree.plugin))


def put(tree: Tree, hooked: bytes, gui: Gui) -> None:
    """
    Put the folder in place, then what it knows how to take out again: the additions and the lines.
    """
    if tree.plugin.exists():
        os.rename(tree.plugin, tree.old)
    os.rename(tree.new, tree.plugin)
    gui.apply()
    if not tree.session.is_file() or tree.session.read_bytes() != hooked:
        replace(tree, hooked)
    clean(tree)


def replace(tree: Tree, content: bytes, changed: int | None = None) -> None:
    """
    Replace ``session.py`` in one step; its mode and owner stay. `changed`: its time of change (ns), default now.
    """
    new = tree.session.with_name("session.py.new~")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    like = tree.session if tree.session.exists() else tree.core / "session.pyc"
    shutil.copymode(like, new)
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):  # not root: then it is ours anyway
            os.chown(new, like.stat().st_uid, like.stat().st_gid)
    if changed is not None:
        os.utime(new, ns=(changed, changed))
    os.replace(new, tree.session)


def is_hooked(tree: Tree) -> bool:
    """
    Are our lines there?
    """
    return tree.session.is_file() and tree.original()[0] != tree.session.read_bytes()


def unhook(tree: Tree) -> None:
    """
    Take our lines out, and what Python compiled of them.
    """
    if not is_hooked(tree):
        return
    original, changed = tree.original()
    compiled = [file for file in (tree.core / "__pycache__").glob("session.*.pyc")
                if is_compiled_from(file, tree.session)]
    if original is None:
        tree.session.unlink()
    else:
        replace(tree, original, changed)
    for file in compiled:
        file.unlink()
    if tree.frozen:
        with contextlib.suppress(OSError):  # not there, or not empty
            (tree.core / "__pycache__").rmdir()


def is_compiled_from(compiled: Path, source: Path) -> bool:
    """
    Was this made of the source as it is now? It says of which time and size that was (PEP 552).
    """
    header = compiled.read_bytes()[8:16]
    state = source.stat()
    return header == (int(state.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little") + \
        (state.st_size & 0xFFFFFFFF).to_bytes(4, "little")
