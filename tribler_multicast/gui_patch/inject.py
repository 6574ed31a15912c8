"""
One tag in the HTML of an unmodified Tribler. All else is done by the module that it loads.
"""
from __future__ import annotations

from typing import Final

PREFIX: Final = "multicast/"
"""Where the files of the page are, below ``/ui/``: no name that Tribler's own build makes."""

TAG: Final = f'<script type="module" src="/ui/{PREFIX}tribler.js"></script>'.encode()
"""The tag. A path from the root, because Tribler shows the same file as ``/ui/`` and ``/ui/index.html``."""

ANCHORS: Final = (b'<script type="module"', b"</head>")
"""What the tag is put before, the first one that is there. Modules run in the order of their tags, and ours, which is
small, has to see the host begin."""


def with_tag(html: bytes) -> bytes | None:
    """
    Put the tag into a page, once; None when this page has no place for it.
    """
    if TAG in html:
        return html
    for anchor in ANCHORS:
        at = html.find(anchor)
        if at >= 0:
            return html[:at] + TAG + html[at:]
    return None
