"""Blocking commands between processes: clients wait at their node, jobs go through the log [F31]."""
from __future__ import annotations

import os
import threading
import time

from support.cluster import wait_serving
from support.resp import RespError
from support.waiting import wait_until

KILLS = int(os.environ.get("KIWI_QUEUE_KILLS", 3))
JOBS_A_ROUND = 150
WAITERS_A_NODE = int(os.environ.get("KIWI_QUEUE_WAITERS", 8))


def waiting(node):
    return int(node.info("raft_clients").get("raft_waiting_clients", 0))


class Waiter(threading.Thread):
    """Takes jobs from one node until told to stop; what became of each call is written down."""

    def __init__(self, node, key, stop):
        super().__init__(daemon=True)
        self.node, self.key, self.stop = node, key, stop
        self.took = []
        self.unknown = 0  # calls whose answer nobody knows: each may have taken one job

    def run(self):
        while not self.stop.is_set():
            asked = False
            try:
                with self.node.connect() as connection:
                    while not self.stop.is_set():
                        asked = True
                        reply = connection.call("BLPOP", self.key, "0.5")
                        asked = False
                        if isinstance(reply, list):
                            self.took.append(reply[1])
                        elif isinstance(reply, RespError) and reply.code == "TIMEOUT":
                            self.unknown += 1
            except OSError:
                self.unknown += 1 if asked else 0
                time.sleep(0.05)


def test_a_push_on_one_node_is_popped_on_another(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    first, second = cluster.followers()
    with first.connect() as waits:
        waits.send("BLPOP", "q", "0")
        wait_until(lambda: waiting(first) == 1, 5, "a client that waits")
        assert second.call("RPUSH", "q", "job") == 1
        assert waits.read() == [b"q", b"job"]
        waits.send("BZPOPMIN", "z", "0")
        wait_until(lambda: waiting(first) == 1, 5, "a client that waits")
        assert leader.call("ZADD", "z", "1.5", "m") == 1
        assert waits.read() == [b"z", b"m", b"1.5"]


def test_nil_comes_in_time_and_needs_no_quorum(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    node = cluster.followers()[0]
    with node.connect() as waits:
        began = time.monotonic()
        waits.send("BLPOP", "q", "1.5")
        wait_until(lambda: waiting(node) == 1, 1, "a client that waits")
        for other in cluster.nodes:
            if other is not node:
                other.kill()
        assert waits.read() is None
        assert 1.4 < time.monotonic() - began < 3
    assert leader is not node


def test_a_client_that_left_takes_nothing(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    node = cluster.followers()[0]
    gone = node.connect()
    gone.send("BLPOP", "q", "0")
    wait_until(lambda: waiting(node) == 1, 5, "a client that waits")
    gone.close()
    wait_until(lambda: waiting(node) == 0, 5, "the node to see it leave")
    assert node.call("RPUSH", "q", "job") == 1
    assert node.call("LRANGE", "q", 0, -1) == [b"job"]


def test_client_unblock_ends_a_wait(make_cluster):
    cluster = make_cluster(1)
    node = cluster.wait_leader()
    with node.connect() as waits:
        number = waits.must("CLIENT", "ID")
        waits.send("BLMOVE", "a", "b", "LEFT", "RIGHT", "0")
        wait_until(lambda: waiting(node) == 1, 5, "a client that waits")
        assert node.info("clients")["blocked_clients"] == "1"
        assert node.call("CLIENT", "UNBLOCK", number, "ERROR") == 1
        assert waits.read().code == "UNBLOCKED"
        assert node.call("CLIENT", "UNBLOCK", number) == 0


def test_a_node_that_stops_lets_go_of_who_waits(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    node = cluster.followers()[0]
    with node.connect() as waits:
        waits.send("BLPOP", "q", "0")
        wait_until(lambda: waiting(node) == 1, 5, "a client that waits")
        assert node.terminate() == 0


def test_jobs_go_once_while_leaders_die(make_cluster):
    """Pushed = popped + left, none twice; what is missing was in an answer that did not come."""
    cluster = make_cluster(3)
    cluster.wait_leader()
    stop = threading.Event()
    waiters = [Waiter(node, "jobs", stop) for node in cluster.nodes for _ in range(WAITERS_A_NODE)]
    for waiter in waiters:
        waiter.start()
    pushed, maybe_pushed, number = set(), set(), 0
    for _ in range(KILLS):
        leader = cluster.wait_leader()
        source = next(node for node in cluster.nodes if node is not leader)
        for at in range(JOBS_A_ROUND):
            if at == JOBS_A_ROUND // 2:
                leader.kill()
            number += 1
            job = f"job-{number}".encode()
            reply = source.call("RPUSH", "jobs", job)
            if isinstance(reply, int):
                pushed.add(job)
            elif reply.code == "TIMEOUT":
                maybe_pushed.add(job)
        cluster.wait_leader(other_than=leader)
        leader.start()
        wait_serving(leader)
    wait_until(lambda: cluster.wait_leader().call("LLEN", "jobs") == 0, 20, "all jobs to be taken")
    stop.set()
    for waiter in waiters:
        waiter.join(20)
        assert not waiter.is_alive()
    took = [job for waiter in waiters for job in waiter.took]
    assert len(took) == len(set(took)), "a job was given away twice"
    assert set(took) <= pushed | maybe_pushed, "a job comes from nowhere"
    missing = pushed - set(took)
    unknown = sum(waiter.unknown for waiter in waiters)
    assert len(missing) <= unknown, f"{len(missing)} jobs are gone, {unknown} answers are not known"
