"""Free client ports whose peer port (client + 10000) is free as well, below the ephemeral range, and
ports for HTTP below those. Each of several workers of pytest-xdist draws from a part of its own."""
from __future__ import annotations

import os
import random
import socket

PEER_OFFSET = 10_000
_FIRST, _LAST = 10_500, 19_900
_FIRST_WEB, _LAST_WEB = 5_100, 10_400
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_handed_out: set[int] = set()
_order = random.Random(os.getpid() * 7919)


def _drawn(first: int, last: int) -> int:
    part = (last - first) // _WORKERS
    return first + _WORKER * part + _order.randrange(part)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    for _ in range(10_000):
        port = _drawn(_FIRST, _LAST)
        if port in _handed_out or not _free(port) or not _free(port + PEER_OFFSET):
            continue
        _handed_out.add(port)
        return port
    raise RuntimeError("no free port")


def free_web_port() -> int:
    """Not the default, port + 1000: another node may have been given that for its clients."""
    for _ in range(10_000):
        port = _drawn(_FIRST_WEB, _LAST_WEB)
        if port not in _handed_out and _free(port):
            _handed_out.add(port)
            return port
    raise RuntimeError("no free port for HTTP")
