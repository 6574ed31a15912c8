"""
Shared folders: indexed by the words of their names, followed as they change, searched.

`shares` is what the node uses. `indexer` is the thread that keeps the index: it hears of changes from `inotify`, and
has `reader` bring into the index (`index`, `removals`) what is in the folders (`listing`). `lookup` searches, from any
thread. `names` knows what is never shared and how names become words, `roots` which folders are shared, `schema` the
file on disk, `limits` what bounds it all.
"""
from .lookup import SharedFile
from .roots import FolderStatus
from .shares import Shares, SharesStatus

__all__ = ["FolderStatus", "SharedFile", "Shares", "SharesStatus"]
