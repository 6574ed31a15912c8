"""The tag in the index of a user interface that was built without us."""
from __future__ import annotations

import pytest

from tribler_multicast.gui_patch.inject import TAG, with_tag
from tribler_multicast.page.serve import page_files

BUILT = b"""<!DOCTYPE html>
<html lang="en">
  <head>
    <script type="module" crossorigin src="./assets/index-BNvqvTH4.js"></script>
    <link rel="stylesheet" crossorigin href="./assets/index-7zemgEft.css">
  </head>
  <body><div id="root"></div></body>
</html>
"""


def test_the_tag_comes_before_the_hosts_own_module_and_nothing_else_changes() -> None:
    changed = with_tag(BUILT)
    assert changed is not None
    assert changed.index(TAG) < changed.index(b"./assets/index")
    assert changed.replace(TAG, b"") == BUILT


def test_twice_is_as_once() -> None:
    once = with_tag(BUILT)
    assert once is not None
    assert with_tag(once) == once


def test_without_a_module_of_the_host_it_stands_at_the_end_of_the_head() -> None:
    assert with_tag(b"<head><title>x</title></head>") == b"<head><title>x</title>" + TAG + b"</head>"


@pytest.mark.parametrize("html", [b"", b"not found", b"\xff\xfe\x00"])
def test_what_is_no_page_gets_none(html: bytes) -> None:
    assert with_tag(html) is None


def test_what_the_tag_loads_is_there() -> None:
    name = TAG.decode().partition("/ui/multicast/")[2].partition('"')[0]
    assert name in page_files()
