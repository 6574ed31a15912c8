"""
Talking to the running node, with the standard library only.

``http.client`` asks no environment for a proxy: the node is on this machine.
"""
from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .standalone.state import StateDir, StateError

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "/api/multicast"


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
        status, content = self._exchange(method, path, body, patience)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise NodeUnreachableError(f"what answers at {self.url} is no tribler-multicast node")
        if status >= 400:
            error = answer.get("error")
            message = error.get("message") if isinstance(error, dict) else None
            raise NodeRefusedError(f"the node answers: {message or status}", status)
        return answer

    def _exchange(self, method: str, path: str, body: dict[str, Any] | None, patience: float) -> tuple[int, bytes]:
        """
        One HTTP exchange: status and content.
        """
        try:
            parts = urlsplit(self.url)
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=patience)
        except (ValueError, http.client.InvalidURL) as error:
            raise self._none_runs() from error
        try:
            headers = {"X-Api-Key": self.key, "Content-Type": "application/json"}
            connection.request(method, ROOT + path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        except TimeoutError as error:
            raise NodeUnreachableError(f"the node at {self.url} did not answer within {patience:g} seconds") from error
        except (ConnectionRefusedError, ConnectionResetError) as error:
            raise self._none_runs() from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NodeUnreachableError(f"the node at {self.url} cannot be reached: {error}") from error
        finally:
            connection.close()
