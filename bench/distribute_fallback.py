"""
The command line as it is where no native code could be built, for `bench/distribute.py`.

    python bench/distribute_fallback.py COMMAND [ARGUMENT]...
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class NoNativeCode(MetaPathFinder):
    """
    Finds nothing, and lets nobody else find native code of ours.
    """

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """
        Look at the name only.

        :raises ImportError: for native code.
        """
        package, _, name = fullname.rpartition(".")
        if package.startswith("tribler_multicast") and name.startswith("_native"):
            raise ImportError(f"{fullname} is switched off here")


if __name__ == "__main__":
    sys.meta_path.insert(0, NoNativeCode())
    from tribler_multicast.cli import main
    from tribler_multicast.coding.field import why_not_native

    assert why_not_native
    sys.exit(main())
