"""scripts/cluster changes a cluster of real nodes under load: add, transfer, remove, rolling-restart.
No client sees an error; what breaks is a connection to a node that stops, and then it goes on at the
next node."""
from __future__ import annotations

import json
import re
import threading

from support.ports import free_ports
from support.resp import Connection, RespError
from support.waiting import wait_until
from test_backup import run


class Client(threading.Thread):
    """Writes its own sequence; on a broken connection the same write again, on another node (a SET is
    the same twice)."""

    def __init__(self, name, ports):
        super().__init__(daemon=True)
        self.name_, self.ports = name, ports
        self.acked, self.breaks, self.errors = 0, 0, []
        self.stopped = threading.Event()

    def run(self):
        turn, connection = 0, None
        while not self.stopped.is_set():
            try:
                if connection is None:
                    ports = self.ports()
                    connection = Connection("127.0.0.1", ports[turn % len(ports)], timeout=15)
                answer = connection.call("SET", f"{self.name_}:{self.acked + 1}", self.acked + 1)
            except OSError:
                turn, connection, self.breaks = turn + 1, None, self.breaks + 1
                self.stopped.wait(0.05)
                continue
            if isinstance(answer, RespError):
                # A node that starts or was removed says so before it does anything.
                if str(answer).split()[0] not in ("LOADING", "NOCLUSTER"):
                    self.errors.append(str(answer))
                connection.close()
                turn, connection = turn + 1, None
                self.stopped.wait(0.05)
                continue
            self.acked += 1


def test_add_transfer_remove_and_rolling_restart_under_load(tmp_path):
    home, base = tmp_path / "cluster", free_ports(4)

    def cluster(*words):
        return run("cluster", *words, "--dir", home, "--no-build")

    def ports():
        members = json.loads((home / "cluster.json").read_text())["members"]
        return [base + number - 1 for number in members]

    cluster("start", "--port", base)
    clients = [Client(f"c{i}", ports) for i in range(4)]
    try:
        for client in clients:
            client.start()

        def progress(what):
            marks = [client.acked + 10 for client in clients]
            wait_until(lambda: all(c.acked >= m for c, m in zip(clients, marks)), 30,
                       f"every client to go on after {what}")
            assert not any(client.errors for client in clients), [c.errors[:3] for c in clients]

        progress("the start")
        assert "node 4 joined and votes" in cluster("add")
        progress("add")
        assert "node 4 leads" in cluster("transfer", 4)
        progress("transfer")
        said = cluster("rolling-restart")
        assert sorted(re.findall(r"restarted node (\d)", said)) == list("1234"), said
        progress("the rolling restart")
        assert "node 2 is no member" in cluster("remove", 2)
        progress("remove")
        assert ports() == [base, base + 2, base + 3]
    finally:
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join(20)
        cluster("stop")
    cluster("start")
    try:
        print(f"acknowledged {[c.acked for c in clients]}, broken connections "
              f"{[c.breaks for c in clients]}")
        with Connection("127.0.0.1", ports()[0], timeout=15) as c:
            for client in clients:
                values = c.call("MGET", *[f"{client.name_}:{i}" for i in range(1, client.acked + 1)])
                assert values == [str(i).encode() for i in range(1, client.acked + 1)]
    finally:
        cluster("stop")
