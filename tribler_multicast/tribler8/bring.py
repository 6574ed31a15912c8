"""
What the plugin needs and a Tribler may lack: found here, and copied beside the plugin.

A frozen Tribler has of Python's standard library only what Tribler itself imports; what else our modules import comes
along, from a Python of the same version. ``psutil`` comes along everywhere; its compiled part fits any Python 3 of the
platform.
"""
from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
import shutil
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .trees import InstallError, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE: Final = Path(__file__).resolve().parents[1]

NOT_RUN: Final = ("standalone/", "feeds/", "cli", "__main__", "brought/", "tribler8/install", "tribler8/bring",
                  "tribler8/trees", "tribler8/runner", "tribler8/start", "tribler8/gui", "gui_patch/edits",
                  "gui_patch/sources")
"""Modules (by the start of their path) that never run inside Tribler."""

REQUIRED: Final = ("psutil",)
OPTIONAL: Final = ("libnacl", "nacl", "_cffi_backend")
"""Packages of others that come along, these where this Python has them: libraries to seal messages with."""

LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "*.pyc", "tests", "test", "*.c", "*.h", "brought")

TYPING_ONLY: Final = frozenset({"typing_extensions", "_typeshed"})


def imports_of(file: Path) -> Iterator[str]:
    """
    List the absolute imports of a source file; what is imported for type checking only is left out.
    """
    pending: list[ast.AST] = [ast.parse(file.read_bytes())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending.extend(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield node.module
        else:
            pending.extend(ast.iter_child_nodes(node))


class Library:
    """
    The modules of a frozen Tribler.
    """

    def __init__(self, folder: Path) -> None:
        """
        Read which there are: in the folder ``lib`` and in the archives in it.
        """
        self.names: set[str] = set()
        for file in folder.rglob("*"):
            self._add(file.relative_to(folder).as_posix())
        for archive in folder.glob("*.zip"):
            with zipfile.ZipFile(archive) as opened:
                for name in opened.namelist():
                    self._add(name)

    def _add(self, path: str) -> None:
        folder, _, file = path.rpartition("/")
        stem, dot, suffix = file.partition(".")
        if dot and suffix.split(".")[-1] in {"py", "pyc", "so", "pyd"}:
            package = folder.replace("/", ".")
            self.names.add(package if stem == "__init__" else f"{package}.{stem}" if package else stem)

    def has(self, module: str) -> bool:
        """
        Is this module there?
        """
        return module in self.names or module in sys.builtin_module_names


def missing_in(tree: Tree) -> tuple[list[str], list[str]]:
    """
    List the modules of the standard library, and those of others, that the plugin needs and a frozen tree lacks.
    """
    library = Library(tree.library)
    files = [file for file in PACKAGE.rglob("*.py") if not file.relative_to(PACKAGE).as_posix().startswith(NOT_RUN)]
    for name in (*REQUIRED, *OPTIONAL):
        found = _source(name)
        if found is not None and found.name == "__init__.py":
            files += [file for file in found.parent.rglob("*.py")
                      if "tests" not in file.relative_to(found.parent).parts]
    pending = [name for file in files for name in imports_of(file)]
    seen: set[str] = set()
    standard, others = [], []
    while pending:
        name = pending.pop()
        top = name.partition(".")[0]
        if name in seen or top in TYPING_ONLY or top == "tribler" or library.has(name):
            continue
        seen.add(name)
        if top in sys.stdlib_module_names:
            found = _source(name)
            if found is not None:
                standard.append(name)
                if found.suffix == ".py":
                    pending.extend(imports_of(found))
        elif top not in (*REQUIRED, *OPTIONAL) and not library.has(top) and _source(top) is not None:
            others.append(top)
    return sorted(set(standard)), sorted(set(others))


def _source(name: str) -> Path | None:
    """
    The file of a module in this Python; None when it is built in, or of another platform.
    """
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def bring(tree: Tree, folder: Path) -> list[str]:
    """
    Copy what the tree lacks into a folder; return the names.

    :raises InstallError: when this Python cannot give what is needed.
    """
    standard, others = missing_in(tree) if tree.frozen else ([], [])
    same_python = not tree.frozen or _magic(tree) == importlib.util.MAGIC_NUMBER
    if standard and not same_python:
        raise InstallError(f"this Tribler lacks {', '.join(standard[:4])}, and it is built with another version of "
                           f"Python than {sys.version_info[0]}.{sys.version_info[1]}, which thus cannot give them: "
                           "install tribler-multicast in a Python of that version, and use it from there")
    if others:
        raise InstallError(f"this Tribler lacks {', '.join(others)}, without which the plugin does not work")
    brought = []
    for name in (*REQUIRED, *OPTIONAL, *standard):
        file = _source(name)
        if file is not None and (name in standard or _fits(file, same_python)):
            _copy(name, file, folder)
            brought.append(name)
        elif name in REQUIRED:
            raise InstallError(f"this Python has no {name} that could be brought along: pip install {name}")
    return brought


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """
    Top-level module -> the distributions it came with.
    """
    return importlib.metadata.packages_distributions()


def _magic(tree: Tree) -> bytes:
    with (tree.core / "session.pyc").open("rb") as file:
        return file.read(4)


def _fits(file: Path, same_python: bool) -> bool:
    """
    Would the compiled parts of a package work in the Python of the tree? With the stable interface, in any.
    """
    files = file.parent.rglob("*") if file.name == "__init__.py" else [file]
    tagged = tuple(suffix for suffix in EXTENSION_SUFFIXES if "cpython" in suffix or "cp3" in suffix)
    return same_python or not any(part.name.endswith(tagged) for part in files)


def _copy(name: str, file: Path, folder: Path) -> None:
    """
    Copy a module or a whole package, with its licence.
    """
    for distribution in _distributions().get(name, ()):
        for part in importlib.metadata.files(distribution) or ():
            if part.name.upper().startswith(("LICEN", "COPYING")):
                (folder / "licences" / distribution).mkdir(parents=True, exist_ok=True)
                shutil.copy(part.locate(), folder / "licences" / distribution / part.name)
    *parents, last = name.split(".")
    target = folder.joinpath(*parents)
    target.mkdir(parents=True, exist_ok=True)
    if file.name == "__init__.py":
        shutil.copytree(file.parent, target / last, ignore=LEFT_OUT, dirs_exist_ok=True)
    else:
        shutil.copy(file, target / file.name)
