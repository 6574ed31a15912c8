"""
The state directory of a standalone node: identity, epoch, settings and the way to its running API.

One process at a time owns it (a lock that the system itself takes away when the process dies, however it dies). A file
is never changed in place: the new content is written beside it, made durable and renamed over it, so that a kill or a
power cut at any moment leaves the old content or the new one, whole. Everything is readable by its owner only.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ..durable import write_durably

if TYPE_CHECKING:
    from pathlib import Path

    from ipv8.keyvault.keys import PrivateKey

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_FILE = "lock"
IDENTITY_FILE = "identity.key"
EPOCH_FILE = "epoch"
SETTINGS_FILE = "settings.json"
API_FILE = "api.json"

# The byte that is locked on Windows, where a locked byte cannot be read: far behind the process id that others read.
LOCKED_BYTE = 1 << 20
# An identity file longer than this is not one of ours: a wrong file is not read into memory whole.
MAX_IDENTITY_SIZE = 4096
# Settings are some hundred bytes; what is larger by so much was not written by us.
MAX_SETTINGS_SIZE = 1 << 20
# Epochs have 64 bits on the wire and count seconds since 1970 or more: what is out of this range is a damaged file.
MAX_EPOCH = 2**63
# First line of the identity file: what it is, and the version of its layout.
IDENTITY_TITLE = "tribler-multicast identity 1"


class StateError(Exception):
    """
    The state directory cannot be used. The message is one line for the user.
    """


class StateDir:
    """
    An open state directory, held by this process until ``close``.
    """

    def __init__(self, path: Path) -> None:
        """
        Make the directory (mode 0700) where it is missing, and take its lock.

        Raises StateError where that cannot be done, and where another process has it: then the message names it.
        """
        self.path = path
        self._lock: int | None = None
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            message = f"{path} is not a directory"
            raise StateError(message) from None
        except OSError as error:
            message = f"cannot make the state directory {path}: {error.strerror}"
            raise StateError(message) from None
        self._lock = self._take_lock()
        # Left behind by a process that was killed: its port and key lead nowhere, or to somebody else.
        self.remove_api()

    def _take_lock(self) -> int:
        try:
            lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            message = f"cannot use the state directory {self.path}: {error.strerror}"
            raise StateError(message) from None
        try:
            _lock(lock)
        except OSError as error:
            owner = _read_owner(lock)
            os.close(lock)
            message = f"cannot lock the state directory {self.path}: {error.strerror}"
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                message = f"the state directory {self.path} is in use by {owner}"
            raise StateError(message) from None
        # The process id is a courtesy to the one who is turned away: without room for it the lock holds all the same.
        with contextlib.suppress(OSError):
            os.ftruncate(lock, 0)
            os.write(lock, str(os.getpid()).encode())
        return lock

    def close(self) -> None:
        """
        Give the directory free. The lock file stays: removing it would let two later processes hold different ones.
        """
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def identity(self) -> PrivateKey:
        """
        This node's IPv8 key (curve25519): made and kept at the first call, the same ever after.

        Raises StateError where the file is damaged. A node never gets another identity behind its user's back: friends
        and everything signed hang on it.
        """
        from ipv8.keyvault.crypto import default_eccrypto  # noqa: PLC0415 (kept lazy: the command line starts fast)

        path = self.path / IDENTITY_FILE
        content = self._read(path, MAX_IDENTITY_SIZE)
        if content is None:
            key = default_eccrypto.generate_key("curve25519")
            binary = key.key_to_bin()
            self._write(IDENTITY_FILE,
                        f"{IDENTITY_TITLE}\n{binary.hex()}\n{sha256(binary).hexdigest()}\n".encode())
            return key
        try:
            title, private, checksum = content.decode("ascii").splitlines()
            binary = bytes.fromhex(private)
            key = default_eccrypto.key_from_private_bin(binary)
            # Any 64 bytes are a key. That they are still *the* key only the checksum can tell.
            sound = title == IDENTITY_TITLE and key.key_to_bin() == binary and sha256(binary).hexdigest() == checksum
        except ValueError:
            sound = False
        if not sound:
            message = f"{path} is damaged: restore it from a backup, or remove it to start with a new identity"
            raise StateError(message)
        with contextlib.suppress(OSError):
            path.chmod(0o600)  # a backup or a copy may have come back with wider rights
        return key

    def next_epoch(self) -> int:
        """
        The epoch of this start: higher than any before it, and on the disk before it is returned.

        The clock alone would do until it is set back, the counter alone until its file is lost: so the higher of both.
        Raises StateError where it cannot be kept.
        """
        stored = 0
        # What cannot be read is left to the clock; whether the disk works is found out by the write below.
        with contextlib.suppress(OSError, ValueError), (self.path / EPOCH_FILE).open("rb") as file:
            stored = int(file.read(32))
        if not 0 <= stored < MAX_EPOCH:
            stored = 0
        epoch = max(stored + 1, int(time.time()))
        self._write(EPOCH_FILE, b"%d\n" % epoch)
        return epoch

    def load_settings(self) -> dict[str, Any]:
        """
        What ``settings.json`` holds, {} where there is none. Raises StateError where it is damaged.

        Whether the values are good ones is for ``Settings`` to say.
        """
        path = self.path / SETTINGS_FILE
        content = self._read(path, MAX_SETTINGS_SIZE)
        if content is None:
            return {}
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            line = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
            message = f"{path} is damaged{line}: mend it, or remove it to start with default settings"
            raise StateError(message) from None
        if not isinstance(values, dict):
            message = f"{path} is damaged (not an object of names and values): mend it, or remove it"
            raise StateError(message)
        return values

    def save_settings(self, values: dict[str, Any]) -> None:
        """
        Write ``settings.json``. Raises StateError where it cannot be kept; the old one is whole then.
        """
        self._write(SETTINGS_FILE, _json(values))

    def write_api(self, url: str, key: str, page: str) -> None:
        """
        Leave word where this node's API, its key and its page are, for the commands that talk to it.
        """
        self._write(API_FILE, _json({"url": url, "key": key, "page": page}))

    def remove_api(self) -> None:
        """
        Take the word back: the API is gone. No error where there is none.
        """
        with contextlib.suppress(OSError):
            (self.path / API_FILE).unlink()

    @staticmethod
    def read_api(path: Path) -> dict[str, str] | None:
        """
        The ``url``, ``key`` and ``page`` of the node that runs in the state directory ``path``; None: none runs there.

        Also the word of a node that was killed: whoever connects finds out. Raises StateError where the file is not
        ours to read.
        """
        file = path / API_FILE
        try:
            values = json.loads(file.read_bytes())
        except PermissionError as error:
            message = f"cannot read {file}: {error.strerror}"
            raise StateError(message) from None
        except (OSError, ValueError, RecursionError):
            return None
        if isinstance(values, dict) and all(isinstance(values.get(name), str) for name in ("url", "key", "page")):
            return values
        return None

    @staticmethod
    def _read(path: Path, limit: int) -> bytes | None:
        """
        The content of a file of at most ``limit`` bytes, None where there is no file. Raises StateError.
        """
        try:
            with path.open("rb") as file:
                content = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"cannot read {path}: {error.strerror}"
            raise StateError(message) from None
        if len(content) > limit:
            message = f"{path} is damaged: it is larger than {limit} bytes"
            raise StateError(message)
        return content

    def _write(self, name: str, content: bytes) -> None:
        """
        Put a file in place, whole and durable (mode 0600), or raise StateError and leave the old one.
        """
        path = self.path / name
        if self._lock is None:
            message = f"cannot write {path}: the state directory was closed"
            raise StateError(message)
        try:
            write_durably(path, [content])
        except OSError as error:
            message = f"cannot write {path}: {error.strerror}"
            raise StateError(message) from None


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _lock(file: int) -> None:
    """
    Take the lock of an open file or raise OSError at once. It lasts until the file is closed or the process ends.
    """
    if sys.platform == "win32":
        os.lseek(file, LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read_owner(file: int) -> str:
    """
    Who wrote itself into the lock file: "process 1234", or "another process" where it has not yet.
    """
    try:
        os.lseek(file, 0, os.SEEK_SET)
        return f"process {int(os.read(file, 20))}"
    except (OSError, ValueError):
        return "another process"
