"""
Talking to the running node, with the standard library only.

``http.client`` asks no environment for a proxy: the node is on this machine.
"""
from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .standalone.state import StateDir, StateError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

ROOT = "/api/multicast"

CHUNK = 64 * 1024
"""Bytes of an answer that are read at once, at most."""

CONNECTED = ""
"""In the place of a topic: from now on nothing that happens is missed."""


class NodeUnreachableError(Exception):
    """
    No node answers: one line.
    """


class NodeRefusedError(Exception):
    """
    The node answered with an error: one line, and its HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        """
        Remember both.
        """
        super().__init__(message)
        self.status = status


class NodeClient:
    """
    Calls the node that runs in a state directory.
    """

    def __init__(self, state_dir: Path) -> None:
        """
        Find the node. Raises NodeUnreachableError when none runs there.
        """
        self.state_dir = state_dir
        try:
            api = StateDir.read_api(state_dir)
        except StateError as error:
            raise NodeUnreachableError(str(error)) from error
        if api is None:
            raise self._none_runs()
        self.url = api["url"]
        self.key = api["key"]

    def _none_runs(self) -> NodeUnreachableError:
        """
        Say that there is no node, and how to start one.
        """
        return NodeUnreachableError(f"no node is running with the state directory {self.state_dir}; "
                                    f"start one with: tribler-multicast node --state-dir {self.state_dir}")

    def call(self, method: str, path: str, body: dict[str, Any] | None, patience: float) -> dict[str, Any]:
        """
        Call the node and return its answer.

        :param patience: seconds to wait for it.
        """
        with self._request(method, path, body, patience) as response:
            return self._answer(response)

    def events(self, patience: float) -> Generator[str, None, None]:
        """
        Listen to events: their topics as they come, after ``CONNECTED``, until the node ends the stream.

        :param patience: seconds without a sign of life until the node counts as gone.
        """
        with self._request("GET", "/events", None, patience) as response:
            if response.status >= 400:
                self._answer(response)
            yield CONNECTED
            try:
                for line in response:
                    if line.startswith(b"data:"):
                        yield str(json.loads(line[5:])["topic"])
            except (ConnectionResetError, http.client.IncompleteRead):
                return  # the node ended without closing the stream
            except (ValueError, LookupError, TypeError) as error:
                raise self._no_node() from error

    def address(self, path: str) -> str:
        """
        Get the address of a call, for a player.
        """
        return self.url + ROOT + path

    def upload(self, path: str, parts: Iterator[bytes]) -> dict[str, Any]:
        """
        Send a body that comes in parts, for as long as that lasts.
        """
        with self._request("PUT", path, parts, None) as response:
            return self._answer(response)

    def download(self, path: str) -> Iterator[bytes]:
        """
        Get what comes, for as long as that lasts.
        """
        with self._request("GET", path, None, None) as response:
            if response.status >= 400:
                self._answer(response)
            while data := response.read1(CHUNK):
                yield data
            if response.length:
                raise NodeUnreachableError(f"the rest is missing: {response.length} bytes")

    def _answer(self, response: http.client.HTTPResponse) -> dict[str, Any]:
        """
        The JSON document of an answer. Raises NodeRefusedError for an error.
        """
        try:
            answer = json.loads(response.read())
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._no_node()
        if response.status >= 400:
            error = answer.get("error")
            message = error.get("message") if isinstance(error, dict) else None
            raise NodeRefusedError(f"the node answers: {message or response.status}", response.status)
        return answer

    def _no_node(self) -> NodeUnreachableError:
        """
        Say that something else is there.
        """
        return NodeUnreachableError(f"what answers at {self.url} is no tribler-multicast node")

    @contextmanager
    def _request(self, method: str, path: str, body: dict[str, Any] | Iterator[bytes] | None,
                 patience: float | None) -> Iterator[http.client.HTTPResponse]:
        """
        One HTTP exchange: the answer, to be read. Whatever fails meanwhile is NodeUnreachableError. A body that is no
        object comes in parts.
        """
        try:
            parts = urlsplit(self.url)
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=patience)
        except (ValueError, http.client.InvalidURL) as error:
            raise self._none_runs() from error
        try:
            kind = "application/json" if body is None or isinstance(body, dict) else "application/octet-stream"
            connection.request(method, ROOT + path, json.dumps(body) if isinstance(body, dict) else body,
                               {"X-Api-Key": self.key, "Content-Type": kind})
            yield connection.getresponse()
        except TimeoutError as error:
            line = f"the node at {self.url} did not answer within {patience or 0:g} seconds"
            raise NodeUnreachableError(line) from error
        except (ConnectionRefusedError, ConnectionResetError) as error:
            raise self._none_runs() from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NodeUnreachableError(f"the node at {self.url} cannot be reached: {error}") from error
        finally:
            connection.close()
