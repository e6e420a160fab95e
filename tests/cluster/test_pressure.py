"""Nobody waits for long: not behind a state that lags behind its files, not behind long reads."""
from __future__ import annotations

import multiprocessing
import threading
import time

from support.resp import encode
from support.waiting import wait_until

KIB = 1 << 10
MIB = 1 << 20
SLOWEST_S = 2.0  # also where a compiler has the other half of the machine


class Looper:
    """Calls something again and again, in a process of its own: a thread here would wait for those
    that take long replies apart. Tells how long the slowest call took."""

    def __init__(self, node, *command):
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(
            target=self._run, args=(node, command, theirs), daemon=True)
        self.process.start()
        assert self.ours.recv() == "ready"

    @staticmethod
    def _run(node, command, pipe):
        with node.connect(30) as connection:
            connection.call(*command)
            pipe.send("ready")
            slowest = 0.0
            while not pipe.poll(0.002):
                began = time.monotonic()
                connection.must(*command)
                slowest = max(slowest, time.monotonic() - began)
            pipe.send(slowest)

    def stop(self) -> float:
        self.ours.send("stop")
        slowest = self.ours.recv()
        self.process.join()
        return slowest


class Flood(threading.Thread):
    """Random SETs of 1 KiB, 50 under way on one connection; how long each took to be answered."""

    def __init__(self, node, number: int, until: float):
        super().__init__(daemon=True)
        self.node, self.number, self.until = node, number, until
        self.written, self.slowest, self.error = 0, 0.0, None
        self.start()

    def run(self):
        try:
            with self.node.connect(30) as connection:
                value = b"v" * KIB
                while time.monotonic() < self.until:
                    burst = b"".join(encode("SET", f"{self.number}:{self.written + i}", value)
                                     for i in range(50))
                    began = time.monotonic()
                    connection.send_raw(burst)
                    for _ in range(50):
                        assert connection.read() == "OK"
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    self.written += 50
        except Exception as error:
            self.error = error


def test_writes_flow_on_however_small_the_table_is(make_cluster):
    """[F28] 4 MiB of table, far more written: slowed down early, never stopped, never piled up."""
    cluster = make_cluster(3, options={"cache-state": 4 * MIB})
    nodes = cluster.nodes
    readers = [Looper(node, "GET", "0:1") for node in nodes]
    until = time.monotonic() + 8
    floods = [Flood(nodes[i % 3], i, until) for i in range(12)]
    dirty = 0
    pressures = 0
    while any(flood.is_alive() for flood in floods):
        for node in nodes:
            state = node.info("everything")
            dirty = max(dirty, int(state["state_dirty_bytes"]))
            pressures += int(state["state_pressure"]) > 0
            assert int(state["rocksdb_level0_files"]) <= 13
        time.sleep(0.1)
    errors = [flood.error for flood in floods if flood.error]
    assert not errors, errors
    slowest_read = max(reader.stop() for reader in readers)
    slowest_write = max(flood.slowest for flood in floods)
    written = sum(flood.written for flood in floods)
    throttled = sum(int(node.info("stats")["throttled_writes"]) for node in nodes)
    flushes = min(int(node.info("persistence")["state_flush_count"]) for node in nodes)
    print(f"{written} writes, slowest {slowest_write:.2f} s, slowest read {slowest_read:.2f} s, "
          f"{throttled} throttled, at most {dirty >> 10} KiB dirty, at least {flushes} flushes")
    assert written * KIB > 3 * 4 * MIB
    assert flushes > 5
    assert pressures > 0 and throttled > 0
    assert dirty < 5 * MIB
    assert slowest_write < SLOWEST_S and slowest_read < SLOWEST_S
    cluster.wait_applied_equal()


def test_long_reads_hold_up_nobody_and_show_one_moment(make_cluster):
    """KEYS over many keys, on all nodes, while a writer counts: what it shows is no older than what
    was acknowledged before it was asked, and holds nothing without everything before it."""
    cluster = make_cluster(3)
    keys = 150_000
    with cluster.leader().connect(60) as connection:
        for first in range(0, keys, 1000):
            connection.must("MSET", *[word for i in range(first, first + 1000)
                                      for word in (f"filler:{i}", "x")])
        connection.must("SADD", "members", *range(30_000))
    acknowledged = [0]
    done = threading.Event()

    def count():
        with cluster.followers()[0].connect(30) as connection:
            while not done.is_set():
                connection.must("SET", f"count:{acknowledged[0]}", "x")
                acknowledged[0] += 1

    writer = threading.Thread(target=count, daemon=True)
    writer.start()
    loopers = [Looper(node, *command) for node in cluster.nodes
               for command in (("PING",), ("GET", "filler:1"), ("SET", "other", "x"))]
    longest = 0.0
    for node in cluster.nodes:
        with node.connect(60) as connection:
            for _ in range(3):
                before = acknowledged[0]
                began = time.monotonic()
                # The PING behind it is answered behind it.
                connection.send_raw(encode("KEYS", "*") + encode("PING") + encode("SCARD", "members"))
                found = connection.read()
                longest = max(longest, time.monotonic() - began)
                assert connection.read() == "PONG"
                assert connection.read() == 30_000
                counts = sorted(int(key[6:]) for key in found if key.startswith(b"count:"))
                assert counts == list(range(len(counts)))
                assert len(counts) >= before
                assert len(found) >= keys + 1 + before
            assert len(connection.must("SMEMBERS", "members")) == 30_000
    done.set()
    writer.join()
    slowest = max(looper.stop() for looper in loopers)
    print(f"slowest KEYS {longest:.2f} s, slowest of the others {slowest:.3f} s")
    assert slowest < SLOWEST_S / 4
    wait_until(lambda: cluster.nodes[0].call("DBSIZE") == cluster.nodes[1].call("DBSIZE"), 10,
               "equal sizes")


def test_a_long_read_survives_the_end_of_its_connection_and_of_the_node(make_cluster):
    cluster = make_cluster(1)
    node = cluster.nodes[0]
    with node.connect(60) as connection:
        for first in range(0, 100_000, 1000):
            connection.must("MSET", *[word for i in range(first, first + 1000)
                                      for word in (f"k:{i}", "x")])
    for _ in range(5):
        with node.connect(10) as connection:
            connection.send_raw(encode("KEYS", "*"))
    assert node.call("DBSIZE") == 100_000
    with node.connect(10) as connection:
        connection.send_raw(encode("KEYS", "*"))
        assert node.terminate() == 0
    node.start()
    wait_until(lambda: node.call("DBSIZE") == 100_000, 20, "the node serves again")
    assert len(node.call("KEYS", "*", timeout=60.0)) == 100_000
