"""
The TCP socket of the REST server, bound before anything else so that a port in use is said before anything happens.
"""
from __future__ import annotations

import errno
import ipaddress
import os
import socket

BACKLOG = 128


class ListenError(Exception):
    """
    The API cannot listen there: one clear line.
    """


def bind_api(host: str, port: int) -> socket.socket:
    """
    Bind a TCP socket for the API; port 0 takes any free one. Raises ListenError.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"--api-host {host}: no address or name of this machine") from error
    # A name may have both families: prefer IPv4, which is what "localhost" means to most programs.
    family, kind, protocol, _, address = min(found, key=lambda item: item[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ListenError(_explain(error, host, port)) from error
    return listener


def _explain(error: OSError, host: str, port: int) -> str:
    """
    Say in one line why the socket cannot be bound.
    """
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; choose another with --api-port (0: any free one)"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--api-host {host}: no address or name of this machine"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights; choose one above 1023 with --api-port"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"


def api_url(listener: socket.socket) -> str:
    """
    The URL at which programs on this machine reach a bound socket.
    """
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if address.version == 6 else f"http://{host}:{port}"
