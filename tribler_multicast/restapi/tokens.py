"""
Tokens for players, which know no headers and no cookies: each opens the data of one transfer or stream, and nothing
else.

A token is made of its id by a secret of this process, so that none is kept and none outlives a restart.
"""
from __future__ import annotations

import hmac
import os
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from aiohttp import web

from .errors import error_middleware

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from aiohttp.typedefs import Handler, Middleware

TOKEN_SIZE: Final = 16
"""Bytes: 128 bits cannot be guessed."""

READING: Final = frozenset({"GET", "HEAD"})


class Tokens:
    """
    Makes and checks them.
    """

    def __init__(self) -> None:
        """
        Take a new secret.
        """
        self._secret = os.urandom(32)

    def token(self, transfer: str) -> str:
        """
        Get the token of a transfer, by its id.
        """
        return blake2b(transfer.lower().encode(), digest_size=TOKEN_SIZE, key=self._secret,
                       person=b"tm-token").hexdigest()

    def fits(self, transfer: str, token: str) -> bool:
        """
        Tell whether a token is that of a transfer.
        """
        return hmac.compare_digest(token.encode(errors="replace"), self.token(transfer).encode())


def token_door(tokens: Tokens,
               data: Collection[Callable[[web.Request], Awaitable[web.StreamResponse]]]) -> Middleware:
    """
    Let who has the token of a transfer or stream read its data (these handlers), without the API key. To be put before
    what asks for that.
    """
    @web.middleware
    async def check_token(request: web.Request, handler: Handler) -> web.StreamResponse:
        handler_of_data = request.match_info.handler
        if handler_of_data in data and request.method in READING \
                and tokens.fits(request.match_info["id"], request.query.get("token", "")):
            return await error_middleware(request, handler_of_data)
        return await handler(request)

    return check_token
