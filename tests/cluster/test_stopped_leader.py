"""A leader that was stopped for several election timeouts, with reads in flight [F66]."""
from __future__ import annotations

import threading
import time

from support.resp import RespError
from support.waiting import wait_until


class Reader(threading.Thread):
    """GETs as fast as answers come: there is always a round under way."""

    def __init__(self, node, key):
        super().__init__(daemon=True)
        self.node, self.key, self.stopping, self.reads = node, key, False, []

    def run(self) -> None:
        with self.node.connect(timeout=30) as connection:
            while not self.stopping:
                asked = time.monotonic()
                reply = connection.call("GET", self.key)
                self.reads.append((asked, time.monotonic(), reply))


def test_reads_that_were_in_flight_when_the_leader_stopped_are_not_stale(make_cluster):
    """[F66]: what is asked of it while it is stopped, and after, sees what the others did meanwhile."""
    cluster = make_cluster(3)
    for turn in range(4):
        leader = cluster.wait_ready()
        others = [node for node in cluster.nodes if node is not leader]
        key = f"stopped:{turn}"
        assert leader.call("SET", key, "old") == "OK"
        readers = [Reader(node, key) for node in (leader, leader, leader, *others)]
        for reader in readers:
            reader.start()
        time.sleep(0.2)
        leader.pause()
        waiting = leader.connect(timeout=30)
        new = cluster.wait_leader(15, other_than=leader, among=others)
        wait_until(lambda: new.call("SET", key, "new", timeout=5) == "OK", 10, "a write by the others")
        written = time.monotonic()
        waiting.send("GET", key)  # into the socket of the stopped process
        time.sleep(1.0)
        leader.resume()
        assert waiting.read() == b"new"
        waiting.close()
        wait_until(lambda: leader.info("raft").get("raft_role") == "follower", 10, "the old leader to know")
        time.sleep(0.2)
        for reader in readers:
            reader.stopping = True
        for reader in readers:
            reader.join(20)
            assert not reader.is_alive()
            for asked, answered, reply in reader.reads:
                if isinstance(reply, RespError):
                    assert reply.code == "TIMEOUT" or reply.code == "CLUSTERDOWN", reply
                else:
                    assert reply == b"new" or asked < written, (
                        f"node {reader.node.id}: {reply} asked {asked - written:.3f} s after the write")
