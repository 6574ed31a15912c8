"""
Runs Tribler with the plugin, in the Python that can run Tribler: ``python start.py TRIBLER [ARGUMENT]...``.

A program of its own and not a module of the package: that Python need not have the package installed, and must not get
the other packages that lie beside it, which may be of another Python. So the package is loaded from where this file is.
"""
from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
NAME = "tribler_multicast"


def load_package() -> None:
    """
    Make the package importable under its own name, without what lies beside it.
    """
    if NAME in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(NAME, PACKAGE / "__init__.py",
                                                  submodule_search_locations=[str(PACKAGE)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


def main(arguments: list[str]) -> int:
    """
    Run the Tribler source tree given first, with the arguments that follow.
    """
    tribler = Path(arguments[0])
    if __package__ in (None, ""):
        sys.path[:1] = []  # the folder of this file: its modules are nobody's top-level modules
    # IPv8 is a submodule of Tribler's tree; where it was fetched it is the one that belongs to it.
    sys.path[:0] = [str(path) for path in (tribler / "src", tribler / "pyipv8")
                    if (path / "tribler").is_dir() or (path / "ipv8").is_dir()]
    load_package()
    importlib.import_module(f"{NAME}.tribler8.hooks").attach()
    sys.argv = [str(tribler / "src" / "run_tribler.py"), *arguments[1:]]
    runpy.run_path(sys.argv[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
