"""Client caches between processes: how old a cached value can be, and that none stays old."""
from __future__ import annotations

import bisect
import os
import random
import threading
import time

import pytest

from support.cluster import wait_serving
from support.resp import NOTHING, Push, RespError
from support.waiting import wait_until

KEYS = [f"k{number}" for number in range(8)]
BOUND_S = 0.6  # 2 x raft.election-timeout
SLACK_S = 1.0  # delivery: two loaded cores, Python, a timer of 100 ms
CUT_OFF = int(os.environ.get("KIWI_CACHE_PARTITIONS", 2))  # nodes, one after the other, followers and leaders in turn


class Writes:
    """What was acknowledged: per key the values, which grow, each with the time of its answer."""

    def __init__(self):
        self.lock = threading.Lock()
        self.values = {key: [] for key in KEYS}
        self.times = {key: [] for key in KEYS}

    def add(self, key, value):
        with self.lock:
            self.values[key].append(value)
            self.times[key].append(time.monotonic())

    def overwritten_for(self, key, value, at):
        """How long before `at` a newer value than this was acknowledged; 0: none was, or this one never
        was: it may have been written behind the newer one."""
        with self.lock:
            place = bisect.bisect_right(self.values[key], value)
            if place == len(self.values[key]) or (value and (not place or self.values[key][place - 1] != value)):
                return 0.0
            return max(0.0, at - self.times[key][place])


class Writer(threading.Thread):
    """Writes keys of its own through one node: a node that is cut off holds up no other's writer."""

    def __init__(self, node, keys, writes, stop, seed):
        super().__init__(daemon=True)
        self.node, self.keys, self.writes, self.stop = node, keys, writes, stop
        self.random = random.Random(seed)

    def run(self):
        value = 0
        while not self.stop.is_set():
            value += 1
            key = self.random.choice(self.keys)
            try:
                if self.node.call("SET", key, value, timeout=3) == "OK":
                    self.writes.add(key, value)
            except OSError:
                pass
            time.sleep(0.005)


class Cacher(threading.Thread):
    """Reads keys that it does not have, reads its pushes, and looks how old what it has is."""

    def __init__(self, node, writes, stop, seed):
        super().__init__(daemon=True)
        self.node, self.writes, self.stop = node, writes, stop
        self.random = random.Random(seed)
        self.oldest_s = 0.0
        self.hits = self.pushes = self.flushes = 0
        self.cached = {}
        self.wrong = []

    def told(self, push):
        assert push[0] == b"invalidate", push
        self.pushes += 1
        if push[1] is None:
            self.flushes += 1
            self.cached.clear()
        else:
            for key in push[1]:
                self.cached.pop(key.decode(), None)

    def call(self, connection, *command):
        """The reply, behind all pushes that came before it. What is cached gets no younger meanwhile."""
        connection.send(*command)
        while True:
            self.look()
            reply = connection.read_within(0.01)
            if reply is NOTHING:
                continue
            if not isinstance(reply, Push):
                return reply
            self.told(reply)

    def look(self):
        at = time.monotonic()
        for key, value in self.cached.items():
            self.hits += 1
            self.oldest_s = max(self.oldest_s, self.writes.overwritten_for(key, value, at))

    def drain(self, connection):
        while (push := connection.read_within(0.01)) is not NOTHING:
            assert isinstance(push, Push), push
            self.told(push)

    def run(self):
        while not self.stop.is_set():
            try:
                with self.node.connect() as connection:
                    self.cached.clear()
                    connection.must("HELLO", "3")
                    connection.must("CLIENT", "TRACKING", "ON")
                    while not self.stop.is_set():
                        self.step(connection)
                    time.sleep(2)  # what is still to be told
                    self.call(connection, "PING")
                    self.verify()
            except OSError:
                time.sleep(0.05)
            except AssertionError as wrong:
                self.wrong.append(wrong)
                return

    def step(self, connection):
        self.drain(connection)
        key = self.random.choice(KEYS)
        if key not in self.cached:
            reply = self.call(connection, "GET", key)
            if not isinstance(reply, RespError):
                self.cached[key] = int(reply or 0)

    def verify(self):
        for key, value in self.cached.items():
            assert self.node.call("GET", key) == (str(value).encode() if value else None), key


def run(cluster, seed, nemesis):
    stop_writing, stop = threading.Event(), threading.Event()
    writes = Writes()
    writers = [Writer(node, KEYS[place::len(cluster.nodes)], writes, stop_writing, seed - node.id)
               for place, node in enumerate(cluster.nodes)]
    cachers = [Cacher(node, writes, stop, seed + node.id) for node in cluster.nodes]
    for thread in [*writers, *cachers]:
        thread.start()
    nemesis()
    stop_writing.set()
    for writer in writers:
        writer.join(10)
    stop.set()
    for cacher in cachers:
        cacher.join(20)
        assert not cacher.is_alive()
        print(f"node {cacher.node.id}: oldest {cacher.oldest_s:.3f} s, {cacher.hits} looks, "
              f"{cacher.pushes} pushes, {cacher.flushes} flushes")
        assert not cacher.wrong
        assert cacher.pushes > 0 and cacher.hits > 0
        assert cacher.oldest_s < BOUND_S + SLACK_S
    return cachers


@pytest.mark.alone
def test_in_health_caches_are_behind_by_a_commit_notice(make_cluster, seed):
    cluster = make_cluster(3)
    cluster.wait_leader()
    cachers = run(cluster, seed, lambda: time.sleep(5))
    for cacher in cachers:
        assert cacher.flushes == 0
        assert cacher.oldest_s < 0.3  # on two loaded cores


def test_who_is_cut_off_holds_nothing_old_for_long(make_cluster, seed):
    cluster = make_cluster(3, proxies=True, options={"raft.response-timeout": 1500})
    cluster.wait_leader()

    def nemesis():
        time.sleep(2)
        for turn in range(CUT_OFF):
            node = cluster.wait_leader() if turn % 2 else cluster.followers()[0]
            cluster.proxies.isolate(node.id)
            time.sleep(4)
            cluster.proxies.heal()
            for one in cluster.nodes:
                wait_serving(one)
            time.sleep(2)

    cachers = run(cluster, seed, nemesis)
    assert sum(cacher.flushes for cacher in cachers) >= CUT_OFF


def test_redirection_and_broadcast(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    node, other = cluster.nodes[0], cluster.nodes[1]
    with node.connect() as client, node.connect() as listener, node.connect() as prefixes:
        number = listener.must("CLIENT", "ID")
        listener.must("SUBSCRIBE", "__redis__:invalidate")
        client.must("CLIENT", "TRACKING", "ON", "REDIRECT", number)
        assert client.must("GET", "user:1") is None
        prefixes.must("HELLO", "3")
        prefixes.must("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "user:")
        assert other.call("MSET", "user:1", "a", "user:2", "b", "order:1", "c") == "OK"
        assert listener.read() == [b"message", b"__redis__:invalidate", [b"user:1"]]
        assert prefixes.read() == [b"invalidate", [b"user:1", b"user:2"]]
        assert client.must("GET", "user:1") == b"a"
        assert other.call("FLUSHALL") == "OK"
        assert listener.read() == [b"message", b"__redis__:invalidate", None]
        assert prefixes.read() == [b"invalidate", None]
    wait_until(lambda: node.info("clients")["tracking_clients"] == "0", 5, "nobody to be tracked")
