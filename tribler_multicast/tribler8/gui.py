"""
The sources of the user interface in a tree: what `install` and `uninstall` do with them.

They never stand in the way: a Tribler with other sources, or with none, gets the page all the same, by the tag in its
index.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..gui_patch import sources
from .trees import MANIFEST, Tree

if TYPE_CHECKING:
    from pathlib import Path

BUILD = "npm ci && npm run build"


class Gui:
    """
    The user interface of a tree, as it is to be with the plugin.
    """

    def __init__(self, tree: Tree) -> None:
        """
        Look what there is; nothing is changed.
        """
        self.folder: Path | None = sources.find_sources(tree.package)
        self.plan: sources.Plan | None = None
        self.refusal = ""
        self.earlier = record_of(tree)
        if self.folder is None:
            return
        try:
            self.plan = sources.plan(self.folder, self.earlier)
        except sources.PatchError as error:
            self.refusal = str(error)

    @property
    def record(self) -> dict[str, Any]:
        """
        What is to be known of it later.
        """
        return self.earlier if self.plan is None else self.plan.record

    @property
    def done(self) -> bool:
        """
        Is there nothing to do?
        """
        return self.folder is None or self.plan is None or sources.is_done(self.folder, self.plan)

    def apply(self) -> None:
        """
        Do it. Raises OSError.
        """
        if self.folder is not None and self.plan is not None:
            sources.apply(self.folder, self.plan)

    @property
    def words(self) -> str:
        """
        What a user is told about it.
        """
        if self.folder is None:
            return ""
        if self.refusal:
            return f". The sources of its user interface are left as they are: {self.refusal}"
        return f". For a page in the build of its user interface: {BUILD} in {self.folder}"


def record_of(tree: Tree) -> dict[str, Any]:
    """
    What an earlier `install` put down of the user interface, also one that was killed; {} when there is none.
    """
    for folder in (tree.plugin, tree.old):
        try:
            found = json.loads((folder / MANIFEST).read_bytes()).get("gui", {})
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def revert(tree: Tree) -> list[str]:
    """
    Take the additions out; return a line for each that stays. Raises OSError.
    """
    folder = sources.find_sources(tree.package)
    return [] if folder is None else sources.revert(folder, record_of(tree))
