"""Clients that know Redis Cluster: redis-py's RedisCluster, ioredis' Cluster, redis-cli -c, on the
cluster face of the nodes. They find the leader as master of all slots and follow a failover by
themselves, with nodes that forward (raft.follower-proxy yes) and with nodes that do not."""
from __future__ import annotations

import json
import os
import pathlib
import random
import shutil
import subprocess
import threading
import time

import pytest
import redis
from redis.cluster import ClusterNode, RedisCluster

from support import oracle
from support.resp import RespError
from support.waiting import wait_until
from test_clients import ioredis_directory

HERE = pathlib.Path(__file__).resolve().parent
proxies = pytest.mark.parametrize("proxy", ["yes", "no"])


def name_of(node) -> bytes:
    return f"{node.info()['raft_dbid']}{node.id:08x}".encode()


def text(reply) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)


def test_every_node_shows_the_leader_as_master_of_all_slots(shared):
    leader = shared.wait_leader()

    def agreed():
        return all(shown_by(n) == (leader.cluster.port, {f.cluster.port for f in shared.followers()})
                   for n in shared.nodes)

    def shown_by(node):
        (first, last, master, *replicas), = node.cluster.call("CLUSTER", "SLOTS")
        assert (first, last) == (0, 16383)
        return master[1], {replica[1] for replica in replicas}

    wait_until(agreed, 10, "all nodes to show the same slots")
    for node in shared.nodes:
        assert node.cluster.call("CLUSTER", "MYID") == name_of(node)
        lines = text(node.cluster.call("CLUSTER", "NODES")).splitlines()
        fields = {line.split()[0]: line.split() for line in lines}
        assert len(lines) == 3
        assert fields[name_of(leader).decode()][-1] == "0-16383"
        assert ("myself" in fields[name_of(node).decode()][2])
        assert all(f[3] == name_of(leader).decode() for key, f in fields.items()
                   if key != name_of(leader).decode())
        info = text(node.cluster.call("CLUSTER", "INFO"))
        assert "cluster_state:ok" in info and "cluster_known_nodes:3" in info
        assert b"cluster_enabled:1" in node.cluster.call("INFO", "cluster")
        assert b"cluster_enabled:0" in node.call("INFO", "cluster")
        assert str(node.call("CLUSTER", "INFO")) == (
            "ERR This instance has cluster support disabled")
        shard, = node.cluster.call("CLUSTER", "SHARDS")
        assert shard[1] == [0, 16383] and len(shard[3]) == 3
        assert node.call("ROLE")[0] == b"master"  # a plain server takes every write
        role = node.cluster.call("ROLE")
        assert role[0] == (b"master" if node is leader else b"slave")
        if node is not leader:
            assert role[1:4] == [b"127.0.0.1", leader.cluster.port, b"connected"]
        assert len(node.cluster.call("CLUSTER", "LINKS")) == 2
        assert node.call("WAIT", 1, 100) >= 1
        assert node.call("SET", "waited", node.id) == "OK"
        assert node.call("WAIT", 2, 5000) == 2  # on every node, not the leader alone
        assert node.call("WAITAOF", 1, 2, 5000) == [1, 2]
        assert node.call("WAIT", 3, 100) == 2  # there are no more
    assert len(leader.cluster.call("ROLE")[2]) == 2
    assert "not allowed in cluster mode" in str(leader.cluster.call("REPLICAOF", "NO", "ONE"))


@pytest.mark.skipif(oracle.why_not() is not None, reason=str(oracle.why_not()))
def test_key_slots_are_those_of_redis(shared, seed):
    rng = random.Random(seed)
    letters = b"{}{}{}ab\x00\xff\r\n "
    keys = [bytes(rng.choice(letters) for _ in range(rng.randrange(12))) for _ in range(500)]
    server = oracle.RedisServer()
    server.close()
    port = server.port
    process = subprocess.Popen(["redis-server", "--port", str(port), "--cluster-enabled", "yes",
                                "--save", "", "--cluster-config-file", f"nodes-{port}.conf",
                                "--dir", str(shared.root)], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: server.connect().call("PING") == "PONG", 10, "redis-server to answer")
        with server.connect() as redis, shared.node(2).cluster.connect() as kiwi:
            for key in keys:
                assert redis.call("CLUSTER", "KEYSLOT", key) == kiwi.call(
                    "CLUSTER", "KEYSLOT", key), key
    finally:
        process.kill()
        process.wait()


def test_keys_are_counted_and_listed_by_slot(shared):
    leader = shared.wait_leader()
    with leader.cluster.connect() as c:
        c.must("FLUSHALL")
        for i in range(20):
            c.must("SET", f"{{tag}}{i}", i)
        c.must("SET", "elsewhere", 1)
        slot = c.must("CLUSTER", "KEYSLOT", "{tag}")
        assert c.must("CLUSTER", "COUNTKEYSINSLOT", slot) == 20
        listed = c.must("CLUSTER", "GETKEYSINSLOT", slot, 100)
        assert sorted(listed) == sorted(f"{{tag}}{i}".encode() for i in range(20))
        assert len(c.must("CLUSTER", "GETKEYSINSLOT", slot, 7)) == 7
    # Through the log like any other read: another node knows at once.
    for node in shared.followers():
        assert node.cluster.call("CLUSTER", "COUNTKEYSINSLOT", slot) == 20


def redis_cluster(cluster, **options):
    """redis-py 4.3 cannot open a connection to a startup node it had none to before: its way to do so
    ends in "cannot pickle '_thread.lock' object" (it copies itself), whatever the server. With
    dynamic_startup_nodes that is the dead master, without it the second node of the list."""
    nodes = cluster.nodes
    if redis.VERSION < (4, 4):
        options["dynamic_startup_nodes"] = False
        nodes = [*cluster.followers(), cluster.leader()]
    startup = [ClusterNode(n.host, n.cluster.port) for n in nodes]
    return RedisCluster(startup_nodes=startup, socket_timeout=5, **options)


class Writer(threading.Thread):
    """Sets one new key after the other; notes which were acknowledged and how long each call took."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.acked, self.failed, self.longest = [], [], 0.0
        self.stopped = threading.Event()

    def run(self):
        number = 0
        while not self.stopped.is_set():
            number += 1
            begin = time.monotonic()
            try:
                self.client.set(f"w:{number}", number)
                self.acked.append(number)
            except Exception as error:  # whatever the client throws at its user
                self.failed.append(repr(error))
                time.sleep(0.05)
            self.longest = max(self.longest, time.monotonic() - begin)

    def wait_acks(self, more, timeout=30):
        target = len(self.acked) + more
        wait_until(lambda: len(self.acked) >= target, timeout, f"{more} more acknowledged writes")

    def stop(self):
        self.stopped.set()
        self.join(30)
        assert not self.is_alive()


@proxies
def test_redis_py_cluster_follows_a_leader_kill(make_cluster, proxy):
    cluster = make_cluster(3, faces=True, options={"raft.follower-proxy": proxy})
    leader = cluster.wait_leader()
    client = redis_cluster(cluster)
    assert client.get_primaries()[0].port == leader.cluster.port
    assert {n.port for n in client.get_replicas()} == {
        n.cluster.port for n in cluster.followers()}
    assert client.keyslot("foo") == client.cluster_keyslot("foo")
    writer = Writer(client)
    writer.start()
    writer.wait_acks(50)
    leader.kill()
    killed = time.monotonic()
    writer.wait_acks(50)
    recovered = time.monotonic() - killed
    writer.stop()
    print(f"redis-py, proxy {proxy}: {len(writer.failed)} calls failed {writer.failed[:3]}, longest "
          f"{writer.longest:.2f} s, 50 writes after the kill took {recovered:.2f} s")
    assert len(writer.failed) <= 2 and writer.longest < 5 and recovered < 5
    now = cluster.wait_leader(other_than=leader)
    # redis-py 4.3 does not note that a replica it knows was promoted (one call may end in IndexError
    # for that), but it sends to the right node.
    assert client.nodes_manager.slots_cache[0][0].port == now.cluster.port
    for number in writer.acked:
        assert client.get(f"w:{number}") == str(number).encode(), f"lost write {number}"
    # Back as a replica, and reads from replicas work.
    leader.start()
    cluster.wait_ready()
    readers = redis_cluster(cluster, read_from_replicas=True)
    wait_until(lambda: readers.get(f"w:{writer.acked[-1]}"), 10, "the replicas to have the write")
    with client.pipeline() as pipe:
        for i in range(100):
            pipe.incr(f"p:{i % 10}")
        assert len(pipe.execute()) == 100


@proxies
def test_ioredis_cluster_follows_a_leader_kill(make_cluster, proxy):
    module = ioredis_directory()
    cluster = make_cluster(3, faces=True, options={"raft.follower-proxy": proxy})
    leader = cluster.wait_leader()
    run = subprocess.Popen(["node", str(HERE / "ioredis_cluster.js"), str(module),
                            *[str(n.cluster.port) for n in cluster.nodes]],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert run.stdout.readline().strip() == f"master {leader.cluster.port}", run.stderr.read()
        leader.kill()
        said, errors = run.communicate(timeout=60)
    finally:
        run.kill()
    result = json.loads(said.strip().splitlines()[-1])
    print(f"ioredis, proxy {proxy}: {result}", errors[-300:])
    assert result["lost"] == 0 and result["acked"] > 100
    assert result["failed"] <= 2 and result["longest_ms"] < 5000
    assert result["master"] != leader.cluster.port


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="no redis-tools here")
@proxies
def test_redis_cli_c_follows_a_leader_kill(make_cluster, proxy):
    cluster = make_cluster(3, faces=True, options={"raft.follower-proxy": proxy})
    leader = cluster.wait_leader()

    def cli(node, *words):
        return subprocess.run(["redis-cli", "-c", "-p", str(node.cluster.port), *words],
                              capture_output=True, text=True, timeout=30).stdout.strip()

    follower, other = cluster.followers()
    assert cli(follower, "set", "foo", "1") == "OK"
    assert cli(other, "get", "foo") == "1"
    # Whether it forwards or not: the leader's place is said, so that maps get corrected.
    moved = follower.cluster.call("SET", "foo", "2")
    assert isinstance(moved, RespError)
    assert str(moved) == f"MOVED 12182 127.0.0.1:{leader.cluster.port}"
    if proxy == "yes":  # all else is executed
        with follower.cluster.connect() as connection:
            connection.must("MULTI")
            connection.must("SET", "foo", "2")
            assert connection.must("EXEC") == ["OK"]
        assert follower.cluster.call("GET", "foo") == b"2"
        assert follower.call("SET", "foo", "3") == "OK"  # a plain server never says MOVED
    # A steady loop of calls, each of a redis-cli of its own, through the kill.
    answers, killed, recovered = [], 0.0, 0.0
    while not recovered or time.monotonic() < recovered + 0.5:
        answers.append(cli(follower, "incr", "loop"))
        if len(answers) == 20:
            leader.kill()
            killed = time.monotonic()
        elif killed and not recovered and answers[-1].isdigit():
            recovered = time.monotonic()
        assert not killed or time.monotonic() < killed + 15, answers[-3:]
    said = [int(answer) for answer in answers if answer.isdigit()]
    failed = [answer for answer in answers if not answer.isdigit()]
    print(f"redis-cli -c, proxy {proxy}: {len(failed)} of {len(answers)} calls failed "
          f"{sorted(set(failed))}, recovered after {recovered - killed:.2f} s")
    assert recovered - killed < 5
    assert said == sorted(set(said)), "an INCR was answered twice or out of order"
    assert len(said) <= int(cli(other, "get", "loop")) <= len(answers)


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="no redis-tools here")
def test_redis_cli_cluster_check_finds_nothing_wrong(shared):
    run = subprocess.run(["redis-cli", "--cluster", "check", f"127.0.0.1:{shared.node(1).cluster.port}"],
                         capture_output=True, text=True, timeout=60,
                         env={**os.environ, "TERM": "dumb"})
    assert "[OK] All nodes agree about slots configuration." in run.stdout, run.stdout
    assert "[OK] All 16384 slots covered." in run.stdout, run.stdout
