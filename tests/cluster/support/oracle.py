"""The real redis-server 7.0, as oracle for replies and as a stand-in for the harness's own tests."""
from __future__ import annotations

import shutil
import tempfile

from .ports import free_port
from .processes import spawn
from .resp import Connection
from .waiting import wait_until


def why_not() -> str | None:
    return None if shutil.which("redis-server") else "no redis-server here (Debian: redis-server)"


class RedisServer:
    """Looks like a Node as far as clients are concerned."""

    def __init__(self, node_id: int = 1, *, cluster: bool = False, options: dict | None = None):
        self.id = node_id
        self.host, self.port = "127.0.0.1", free_port()
        self.dir = tempfile.mkdtemp(prefix="kiwi-oracle-")
        argv = ["redis-server", "--port", str(self.port), "--bind", self.host, "--save", "",
                "--appendonly", "no", "--dir", self.dir]
        for name, value in {**({"cluster-enabled": "yes"} if cluster else {}), **(options or {})}.items():
            argv += [f"--{name}", *str(value).split()]
        self.process = spawn(argv)
        wait_until(lambda: self.connect().call("PING") == "PONG", 10, "redis-server to answer")
        if cluster:
            self._own_all_slots()

    def _own_all_slots(self) -> None:
        """A Redis Cluster of one node."""
        with self.connect() as connection:
            connection.must("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            wait_until(lambda: b"cluster_state:ok" in connection.must("CLUSTER", "INFO"), 10,
                       "redis-server to own its slots")

    def connect(self, timeout: float = 15.0) -> Connection:
        return Connection(self.host, self.port, timeout=timeout)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
