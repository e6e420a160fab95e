"""Free client ports whose peer port (client + 10000) is free as well, below the ephemeral range, and
ports for HTTP below those. What one process of tests was given no other gets while it runs: each port is
a byte of a file that its owner has locked."""
from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile

PEER_OFFSET = 10_000
WEB_OFFSET = 1_000  # where a node's HTTP port is if nobody says otherwise
_FIRST, _LAST = 10_500, 19_400
_FIRST_WEB, _LAST_WEB = 5_100, 10_400
_TRIES = 20_000
_order = random.Random(os.getpid() * 7919)
# Opened once and never closed: closing any descriptor of it would unlock all of this process.
_claims = open(os.path.join(tempfile.gettempdir(), f"kiwi-test-ports-{os.getuid()}"), "ab")
_handed_out: set[int] = set()


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def claim(port: int) -> bool:
    """It is this process's until that ends. False: it is somebody's, or was handed out already."""
    if port in _handed_out:
        return False
    try:
        fcntl.lockf(_claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _handed_out.add(port)
    return _free(port)


def free_port() -> int:
    for _ in range(_TRIES):
        port = _order.randrange(_FIRST, _LAST)
        if _free(port + PEER_OFFSET) and claim(port):
            return port
    raise RuntimeError("no free port")


def free_ports(count: int) -> int:
    """The first of so many client ports in a row, for what numbers its nodes by itself and says nothing
    of HTTP."""
    for _ in range(_TRIES):
        base = _order.randrange(_FIRST, _LAST - count)
        row = range(base, base + count)
        if all(_free(port + PEER_OFFSET) and claim(port) and claim(port + WEB_OFFSET) for port in row):
            return base
    raise RuntimeError(f"no {count} free ports in a row")


def free_web_port() -> int:
    """Not the default: another node may have been given that for its clients."""
    for _ in range(_TRIES):
        port = _order.randrange(_FIRST_WEB, _LAST_WEB)
        if claim(port):
            return port
    raise RuntimeError("no free port for HTTP")
