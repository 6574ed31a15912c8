"""Tribler 8.4 as the client. The only room that loads Tribler, and only when it runs there: see docs/tribler.md."""
import contextlib
import importlib
import sys
from pathlib import Path

# What `install` brought along because this Tribler lacks it. Last on the path: what Tribler has itself is what counts.
BROUGHT = Path(__file__).resolve().parents[1] / "brought"
if BROUGHT.is_dir() and str(BROUGHT) not in sys.path:
    sys.path.append(str(BROUGHT))
    for part in BROUGHT.iterdir():
        # Single modules of a package that Tribler has without them.
        if part.is_dir() and not (part / "__init__.py").is_file():
            with contextlib.suppress(ImportError):
                getattr(importlib.import_module(part.name), "__path__", []).append(str(part))
