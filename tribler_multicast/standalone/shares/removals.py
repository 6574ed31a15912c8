"""
What is gone from the disk and still to be removed from the index.

It goes before anything else is read, so that nothing that comes back meets what is left; and a part at a time, the
folders last: when the process is killed in between, the next run finds what is left in folders that are not there.
"""
from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .limits import BATCH_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .index import Folder, Index
    from .inotify import Watcher


class Removals:
    """
    Files, and folders with all that the index has below them, that are to be removed.
    """

    def __init__(self, index: Index, watcher: Watcher) -> None:
        """
        Begin with none.
        """
        self.index = index
        self.watcher = watcher
        self.files: deque[tuple[int, Sequence[int]]] = deque()
        self.folders: dict[int, None] = {}

    def __bool__(self) -> bool:
        """
        Is there anything to remove?
        """
        return bool(self.files or self.folders)

    def __contains__(self, folder: int) -> bool:
        """
        Is this folder going to be removed?
        """
        return folder in self.folders

    def copy(self) -> Removals:
        """
        Get the same, which does not change with this.
        """
        copied = Removals(self.index, self.watcher)
        copied.files, copied.folders = self.files.copy(), self.folders.copy()
        return copied

    def add_files(self, root: int, numbers: Sequence[int]) -> None:
        """
        Remove files of a root.
        """
        self.files.extend((root, numbers[start:start + BATCH_ENTRIES])
                          for start in range(0, len(numbers), BATCH_ENTRIES))

    def add_folder(self, number: int) -> None:
        """
        Remove a folder.
        """
        self.folders[number] = None

    def keep_root(self, top: int) -> None:
        """
        Do not remove the root with this folder. What had begun to be removed below is, and is found again when the root
        is read.
        """
        self.folders.pop(top, None)

    def step(self) -> list[Folder]:
        """
        Remove what goes into one transaction; get the folders that are removed now.
        """
        count = 0
        removed: list[Folder] = []
        while self.files and count < BATCH_ENTRIES:
            root, numbers = self.files.popleft()
            self.index.remove_files(root, numbers)
            count += len(numbers)
        while self.folders and count < BATCH_ENTRIES:
            number = next(reversed(self.folders))
            self.watcher.remove(number)
            folder = self.index.folder(number)
            if folder is None:
                del self.folders[number]
                continue
            files = self.index.files_in(number, BATCH_ENTRIES)
            self.index.remove_files(folder.root, files)
            count += len(files) + 1
            if len(files) == BATCH_ENTRIES:
                continue
            if children := self.index.all_children(number):
                for child in children:
                    self.folders.pop(child, None)  # so that it comes before this one
                    self.folders[child] = None
                continue
            self.index.remove_folder(number)
            del self.folders[number]
            removed.append(folder)
        return removed
