"""
Tribler on the disk: which trees `install` knows, and the few lines that load the plugin there.

Two kinds. Where Tribler's modules are sources (a checkout, or a package in ``site-packages``) the lines are added at
the end of ``session.py``. In a build by cx_Freeze (the ``.deb``, Windows, macOS) there is only ``session.pyc``; Python
prefers a ``session.py`` beside it, so one is put there that runs the ``.pyc`` and has the lines.
"""
from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "tribler_multicast"
MANIFEST: Final = "installed.json"

BEGIN: Final = b"# >>> tribler-multicast >>> put here by `tribler-multicast install`, taken out by `... uninstall`"
END: Final = b"# <<< tribler-multicast <<<\n"

FROZEN: Final = b"""from importlib.machinery import SourcelessFileLoader as _SourcelessFileLoader
exec(_SourcelessFileLoader(__name__, __file__ + "c").get_code(__name__))
"""

LINES: Final = b"""try:
    from tribler.core.tribler_multicast.tribler8.hooks import attach as _attach_tribler_multicast
except Exception:
    __import__("logging").getLogger(__name__).critical("tribler-multicast is not loaded", exc_info=True)
else:
    _attach_tribler_multicast()
"""

PLACES: Final = ("src/tribler", "tribler", "lib/tribler", "Contents/Resources/lib/tribler",
                 "Contents/MacOS/lib/tribler")
"""Where Tribler's package is, below the folder a user names: a checkout, its ``src`` or ``site-packages``, a frozen
build on Linux and Windows, one on macOS."""

EXPECTED: Final = {
    "core/session": (b"Session", b"register_launchers", b"rest_manager", b"set_launcher", b"download_manager"),
    "core/restapi/rest_manager": (b"RESTManager", b"add_endpoint", b"root_endpoint"),
    "core/restapi/events_endpoint": (b"topics_to_send_to_gui",),
    "core/content_discovery/community": (b"ContentDiscoveryCommunity", b"get_random_peers", b"send_db_results"),
    "tribler_config": (b"DEFAULT_CONFIG", b"get_version_state_dir"),
}
"""Module -> names that the plugin builds on. They stand readable in sources and in compiled modules of any Python."""


class InstallError(Exception):
    """
    The tree cannot be used: one line for the user.
    """


@dataclass(frozen=True)
class Tree:
    """
    A Tribler on the disk. `package` is its package ``tribler``; `frozen` when its modules are compiled ones.
    """

    package: Path
    frozen: bool

    @property
    def core(self) -> Path:
        """
        The folder that the plugin is put into.
        """
        return self.package / "core"

    @property
    def plugin(self) -> Path:
        """
        The plugin's own folder.
        """
        return self.core / FOLDER

    @property
    def new(self) -> Path:
        """
        Where a folder is made ready; no name that Python would import.
        """
        return self.core / f"{FOLDER}.new~"

    @property
    def old(self) -> Path:
        """
        Where a folder goes to be removed.
        """
        return self.core / f"{FOLDER}.old~"

    @property
    def session(self) -> Path:
        """
        The file with our lines.
        """
        return self.core / "session.py"

    @property
    def library(self) -> Path:
        """
        The folder of all packages, Tribler's and others.
        """
        return self.package.parent

    def original(self) -> tuple[bytes | None, int | None]:
        """
        What ``session.py`` was before our lines came, None: there was none; and its time of change (ns) when that is
        known.

        :raises InstallError: when our lines were changed by hand.
        """
        try:
            content = self.session.read_bytes()
        except FileNotFoundError:
            return None, None
        start = content.find(BEGIN)
        if start < 0:
            return content, None
        end = content.find(END, start)
        if end < 0 or content.count(BEGIN) != 1:
            raise InstallError(f"{self.session} was changed by hand: the lines of tribler-multicast have no end")
        changed = re.match(rb" \((\d+)\)\n", content[start + len(BEGIN):])
        rest = content[:max(0, start - 1)] + content[end + len(END):]
        if self.frozen:
            if rest.strip():
                raise InstallError(f"{self.session} was changed by hand: it has more than tribler-multicast's lines")
            return None, None
        return rest, int(changed[1]) if changed else None

    def hooked(self, original: bytes | None, changed: int) -> bytes:
        """
        What ``session.py`` is with our lines; `changed` is the time of change (ns) of the original.
        """
        return b"".join((original or b"", b"\n", BEGIN, b" (%d)\n" % changed, FROZEN if self.frozen else b"", LINES,
                         END))


def recognise(folder: Path) -> Tree:
    """
    Find Tribler in a folder that a user named, and check that it is one the plugin fits.

    :raises InstallError: when it is not, with the reason. Nothing is touched.
    """
    root = folder.expanduser()
    if not root.is_dir():
        raise InstallError(f"there is no folder {folder}")
    package = next((root / place for place in PLACES if (root / place / "core").is_dir()), None)
    if package is None:
        raise InstallError(f"{folder} is no Tribler 8: it has neither src/tribler/core nor lib/tribler/core. Name the "
                           "folder of the sources, or the one that Tribler was installed to (/usr/share/tribler)")
    package = package.resolve()
    frozen = (package / "core" / "session.pyc").is_file()
    tree = Tree(package, frozen)
    for module, names in EXPECTED.items():
        content = _content(tree, module)
        for name in names:
            if name not in content:
                raise InstallError(f"{folder} is no Tribler 8.4 that is known here: {module}.py has no {name.decode()}")
    if tree.plugin.is_symlink() or (tree.plugin.exists() and not is_ours(tree.plugin)):
        raise InstallError(f"{tree.plugin} is there already, and not put there by tribler-multicast: remove it first")
    return tree


def _content(tree: Tree, module: str) -> bytes:
    """
    The source or the compiled content of a module of Tribler, without our lines.
    """
    file = tree.package / f"{module}.py{'c' if tree.frozen else ''}"
    if module == "core/session":
        original = tree.original()[0]
        if not tree.frozen:
            return original or b""
        if original is not None:
            raise InstallError(f"{tree.session} beside session.pyc was not put there by tribler-multicast")
    try:
        return file.read_bytes()
    except OSError as error:
        raise InstallError(f"{tree.package.parent} is no Tribler 8: cannot read {file}: {error.strerror}") from None


def is_ours(folder: Path) -> bool:
    """
    Was this folder put there by `install`, now or by an older version?
    """
    if (folder / MANIFEST).is_file():
        return True
    try:
        return b"tribler-multicast" in (folder / "__init__.py").read_bytes()[:200]
    except OSError:
        return False


def check_writable(tree: Tree) -> None:
    """
    Check that files can be put into the tree.

    :raises InstallError: when not.
    """
    if not os.access(tree.core, os.W_OK | os.X_OK):
        raise InstallError(f"you may not write to {tree.core}: use sudo, or the administrator's command prompt")
