"""Clients that ask a Sentinel for their master: redis-py's Sentinel, ioredis, redis-cli. They find the
announced node and follow it; a planned change of leaders disconnects none of them."""
from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import threading
import time

import pytest
from redis.sentinel import Sentinel

from support.cluster import wait_serving
from support.resp import RespError
from support.waiting import wait_until
from test_clients import ioredis_directory
from test_cluster_clients import Writer
from test_membership import new_node

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture
def watched(make_cluster):
    cluster = make_cluster(3, sentinel=True)
    wait_until(lambda: len({announced(n) for n in cluster.nodes}) == 1 and announced(cluster.node(1)),
               10, "all nodes to announce the same one")
    return cluster


def announced(node) -> int:
    """The port of the announced node, as this one tells; 0: none."""
    try:
        address = node.sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster", timeout=2)
    except OSError:
        return 0
    return int(address[1]) if isinstance(address, list) else 0


def fields(reply) -> dict[str, str]:
    words = [word.decode() for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))


class Events(threading.Thread):
    """What a Sentinel publishes, as it comes."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.connection = node.sentinel.connect(timeout=60)
        self.connection.send_raw(b"PSUBSCRIBE *\r\n")
        self.connection.read()
        self.seen: list[tuple[str, str]] = []
        self.start()

    def run(self):
        try:
            while True:
                _, _, channel, message = self.connection.read()
                self.seen.append((channel.decode(), message.decode()))
        except (OSError, ValueError):
            pass

    def of(self, channel):
        return [message for name, message in self.seen if name == channel]


def test_every_node_tells_of_the_same_master(watched):
    port = announced(watched.node(1))
    for node in watched.nodes:
        wait_until(lambda node=node: len(node.sentinel.call("SENTINEL", "SENTINELS", "mymaster")) == 2,
                   10, "the other nodes' hellos")
        master = fields(node.sentinel.call("SENTINEL", "MASTER", "mymaster"))
        assert (master["port"], master["flags"], master["num-slaves"]) == (str(port), "master", "2")
        replicas = [fields(one) for one in node.sentinel.call("SENTINEL", "REPLICAS", "mymaster")]
        assert {int(one["port"]) for one in replicas} == {n.port for n in watched.nodes} - {port}
        assert {one["flags"] for one in replicas} == {"slave"}
        assert node.call("ROLE")[0] == (b"master" if node.port == port else b"slave")
        assert node.call("SET", "k", node.id) == "OK"  # every node takes it all the same
        assert str(node.sentinel.call("SENTINEL", "CKQUORUM", "mymaster")).startswith("OK 3 usable")
        assert isinstance(node.sentinel.call("GET", "k"), RespError)
    # A name that one client asked for is known on all nodes.
    watched.node(2).sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "queue")
    for node in watched.nodes:
        wait_until(lambda node=node: [fields(one)["name"] for one in
                                      node.sentinel.call("SENTINEL", "MASTERS")] == ["mymaster", "queue"],
                   5, "both names")


def test_a_node_that_joins_tells_of_the_same_master(watched):
    """It knew nobody when its first links came up, and who is announced need not lead."""
    port = announced(watched.node(1))
    master = next(n for n in watched.nodes if n.port == port)
    other = next(n for n in watched.nodes if n is not master)
    if watched.wait_leader() is not other:
        assert other.call("RAFT.TRANSFER_LEADER", other.id, timeout=20) == "OK"
    joiner = new_node(watched, 4, **{"raft.join": f"127.0.0.1:{other.port}"}).show_faces(sentinel=True)
    joiner.start()
    wait_serving(joiner, 20)
    wait_until(lambda: announced(joiner) == port, 10, "the new node to tell of the same master")
    assert {announced(n) for n in watched.nodes} == {port}


def test_without_a_proxy_the_leader_is_the_master(make_cluster):
    cluster = make_cluster(3, sentinel=True, options={"raft.follower-proxy": "no"})
    leader = cluster.wait_leader()
    wait_until(lambda: {announced(n) for n in cluster.nodes} == {leader.port}, 10, "it to be announced")
    target = cluster.followers()[0]
    assert target.call("RAFT.TRANSFER_LEADER", target.id, timeout=20) == "OK"
    wait_until(lambda: {announced(n) for n in cluster.nodes} == {target.port}, 10, "the next one to be")
    assert target.call("ROLE")[0] == b"master" and leader.call("ROLE")[0] == b"slave"
    wait_until(lambda: target.call("SET", "a", "1") == "OK", 10, "it to take a write")


def test_a_transfer_of_leadership_is_no_failover(watched):
    port = announced(watched.node(1))
    events = Events(watched.node(1))
    leader = watched.wait_leader()
    for target in [n for n in watched.nodes if n is not leader]:
        assert watched.node(1).call("RAFT.TRANSFER_LEADER", target.id, timeout=20) == "OK"
        wait_until(lambda target=target: watched.leader() is target, 10, "the target to lead")
    time.sleep(0.5)
    assert {announced(n) for n in watched.nodes} == {port}
    assert events.of("+switch-master") == []


def test_redis_py_follows_a_master_that_is_killed(watched):
    sentinel = Sentinel([(n.host, n.sentinel.port) for n in watched.nodes], socket_timeout=2)
    port = announced(watched.node(1))
    assert sentinel.discover_master("mymaster") == ("127.0.0.1", port)
    assert {p for _, p in sentinel.discover_slaves("mymaster")} == {
        n.port for n in watched.nodes} - {port}
    victim = next(n for n in watched.nodes if n.port == port)
    events = Events(next(n for n in watched.nodes if n is not victim))
    writer = Writer(sentinel.master_for("mymaster", socket_timeout=2))
    writer.start()
    writer.wait_acks(50)
    victim.kill()
    killed = time.monotonic()
    writer.wait_acks(50)
    recovered = time.monotonic() - killed
    writer.stop()
    print(f"redis-py by Sentinel: {len(writer.failed)} calls failed {writer.failed[:3]}, 50 writes "
          f"after the kill took {recovered:.2f} s, events {events.seen}")
    assert recovered < 5
    moved, = events.of("+switch-master")
    name, _, old, _, new = moved.split()
    assert (name, int(old)) == ("mymaster", port) and int(new) != port
    order = [channel for channel, _ in events.seen]
    assert order.index("+sdown") < order.index("+switch-master") < order.index("+slave")
    reader = sentinel.master_for("mymaster", socket_timeout=2)
    for number in writer.acked:
        assert reader.get(f"w:{number}") == str(number).encode(), f"lost write {number}"
    victim.start()
    watched.wait_ready()
    wait_until(lambda: events.of("-sdown"), 10, "the old master to be back as a replica")
    assert len(events.of("+switch-master")) == 1, "it takes its place back from nobody"


def test_sentinel_failover_moves_the_master_and_leadership(watched):
    node = watched.node(1)
    before = announced(node)
    assert node.sentinel.call("SENTINEL", "FAILOVER", "mymaster") == "OK"
    now = wait_until(lambda: announced(node) not in (0, before) and announced(node), 10,
                     "another master")
    wait_until(lambda: watched.leader() and watched.leader().port == now, 10, "it to lead")


def test_ioredis_by_sentinel(watched):
    module = ioredis_directory()
    port = announced(watched.node(1))
    victim = next(n for n in watched.nodes if n.port == port)
    run = subprocess.Popen(["node", str(HERE / "ioredis_sentinel.js"), str(module),
                            *[str(n.sentinel.port) for n in watched.nodes]],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert run.stdout.readline().strip() == f"master {port}", run.stderr.read()
        victim.kill()
        said, errors = run.communicate(timeout=60)
    finally:
        run.kill()
    result = json.loads(said.strip().splitlines()[-1])
    print(f"ioredis by Sentinel: {result}", errors[-300:])
    assert result["lost"] == 0 and result["acked"] > 100
    assert result["longest_ms"] < 5000 and result["master"] != port


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="no redis-tools here")
def test_redis_cli_reads_a_sentinel(watched):
    run = subprocess.run(["redis-cli", "-p", str(watched.node(1).sentinel.port), "sentinel", "masters"],
                         capture_output=True, text=True, timeout=30)
    assert "mymaster" in run.stdout and "num-other-sentinels" in run.stdout
