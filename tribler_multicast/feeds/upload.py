"""
Uploads of ``.torrent`` files to the user's web server: HTTP PUT (the file is the body) or POST (a form's file).

The token goes to the host that the user named and to no other, whatever a redirect says.
"""
from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import aiohttp

from ..settings import shown
from .addresses import MACHINE
from .limits import MAX_REDIRECTS, UPLOAD_TIMEOUT
from .model import FeedError, shown_url
from .own import TORRENT_TYPE
from .web import checked_url, redirected, refusal

if TYPE_CHECKING:
    from yarl import URL

    from .web import Web

KEEPING: Final = frozenset({307, 308})
"""Redirects that ask for the same again elsewhere (RFC 9110 15.4). After the others a POST becomes a GET."""

SEE_OTHER: Final = 303


def target_of(template: str, name: str, infohash: bytes) -> URL:
    """
    The URL to send to: `{name}` and `{infohash}` filled in, percent-encoded. Raises FeedError.
    """
    try:
        host = urlsplit(template).netloc
    except ValueError:
        host = "{"
    if "{" in host:
        message = "feed_upload_url must not have a name to be filled in before its path"
        raise FeedError(message, 422, again=False)
    # Two names that would climb in the server's folders, however they are encoded.
    safe = "_" if name in (".", "..") else name
    filled = {"{name}": quote(safe.encode("utf-8", "replace"), safe=""), "{infohash}": infohash.hex()}
    return checked_url(re.sub(r"\{(?:name|infohash)\}", lambda found: filled[found[0]], template))


async def upload(web: Web, url: URL, method: str, token: str, file: tuple[str, bytes]) -> None:
    """
    Send a file (name, content). Raises FeedError in one line when the server did not take it.
    """
    try:
        async with asyncio.timeout(UPLOAD_TIMEOUT):
            await _upload(web, url, method, token, file)
    except TimeoutError:
        message = f"{shown_url(str(url))} took longer than {UPLOAD_TIMEOUT:g} seconds"
        raise FeedError(message) from None


async def _upload(web: Web, url: URL, method: str, token: str, file: tuple[str, bytes]) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for _ in range(MAX_REDIRECTS + 1):
        data: bytes | aiohttp.FormData = file[1]
        if method == "POST":
            data = aiohttp.FormData()
            data.add_field("file", file[1], filename=file[0], content_type=TORRENT_TYPE)
        else:
            headers["Content-Type"] = TORRENT_TYPE
        async with web.request(method, url, MACHINE, data=data, headers=headers) as (answer, _place):
            if 200 <= answer.status < 300 or (answer.status == SEE_OTHER and method == "POST"):
                return
            if not 300 <= answer.status < 400:
                raise refusal(url, answer)
            after = redirected(url, answer)
            if answer.status not in KEEPING:
                message = (f"{shown_url(str(url))} answers {answer.status} and redirects to "
                           f"{shown(shown_url(str(after)))}: it did not take the file")
                raise FeedError(message)
            if not _same_host(url, after):
                message = (f"{shown_url(str(url))} redirects to another host, {shown(after.host or '')}: not followed; "
                           "set feed_upload_url to where it leads")
                raise FeedError(message)
            url = after
    message = f"{shown_url(str(url))} redirects more than {MAX_REDIRECTS} times"
    raise FeedError(message)


def _same_host(before: URL, after: URL) -> bool:
    """
    Is it the same server, as before or with TLS now?
    """
    if before.host != after.host:
        return False
    defaults = before.is_default_port() and after.is_default_port()
    secured = (before.scheme, after.scheme) == ("http", "https") and defaults
    return secured or (before.scheme, before.port) == (after.scheme, after.port)
