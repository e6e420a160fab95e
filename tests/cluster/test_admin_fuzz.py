"""What operators may ask, in every state of a node [RedisRaft's issues 187, 265, 2, 3].

Any answer will do that begins with a word whose meaning is known and comes in time; the process stays,
and a healthy cluster works afterwards.
"""
from __future__ import annotations

import random

import pytest

from support.cluster import SECRET, Node, wait_serving
from support.resp import RespError
from support.waiting import wait_until

WORDS = {"ERR", "TIMEOUT", "CLUSTERDOWN", "NOCLUSTER", "LOADING", "MOVED", "NOTLEADER"}
ROUNDS = 40
OPTIONS = {"raft.response-timeout": 1500}


def orders(rng: random.Random, ports: list[int]) -> list[tuple]:
    """Sense and nonsense; nothing that really takes a node out of a healthy cluster of 1, 2, 3."""
    def node() -> str:
        return rng.choice(["0", "-1", "7", "99", "x", "", "9223372036854775807"])

    def address() -> str:
        return rng.choice(["127.0.0.1:1", "nonsense", "127.0.0.1:0", "[::1]:1/[::1]:2", ":", "@",
                           f"127.0.0.1:{rng.choice(ports)}"])
    return [rng.choice([
        ("RAFT.NODE", "ADD", node(), address()), ("RAFT.NODE", "REMOVE", node()),
        ("RAFT.NODE", rng.choice(["", "ADD", "REMOVE", "LIST"])),
        ("RAFT.TRANSFER_LEADER", node()), ("RAFT.TRANSFER_LEADER",), ("RAFT.TIMEOUT_NOW",),
        ("RAFT.CLUSTER", "INIT"), ("RAFT.CLUSTER", "JOIN", address()),
        ("RAFT.CLUSTER", "INIT", "short"), ("RAFT.CLUSTER", "JOIN"),
        ("RAFT.RECONFIGURE", f"{node()}@{address()}"), ("RAFT.RECONFIGURE",),
        ("RAFT.DEBUG", "NODECFG", node(), "+voting"), ("RAFT.DEBUG", "COMPACT"),
        ("RAFT.BACKUP", ""), ("RAFT.TRACE", "ON", "3"), ("RAFT.TRACE", "GET"),
        ("RAFT.UPGRADE",), ("SAVE",), ("RAFT",), ("RAFT.CONFIG", "GET", "*"),
    ]) for _ in range(ROUNDS)]


def ask(node: Node, asked: list[tuple]) -> None:
    for order in asked:
        reply = node.call(*order, timeout=12)
        if isinstance(reply, RespError):
            assert reply.code in WORDS, (order, reply)
        assert node.alive(), (order, node.log_text()[-1500:])


def test_of_a_healthy_cluster(make_cluster, seed):
    cluster = make_cluster(3, options=OPTIONS)
    ports = [node.port for node in cluster.nodes]
    rng = random.Random(seed)
    for node in cluster.nodes:
        ask(node, orders(rng, ports))
    cluster.wait_ready()
    assert cluster.node(2).call("SET", "k", "v") == "OK"
    assert cluster.node(1).info("raft")["raft_num_voting_nodes"] == "3"


def test_of_a_node_without_a_cluster(make_cluster, seed):
    cluster = make_cluster(1, peers=False, start=False, options={
        **OPTIONS, "raft.bootstrap": "manual", "raft.cluster-secret": SECRET})
    node = cluster.node(1)
    node.start()
    wait_until(lambda: node.info("raft"), 10, "the node to answer")
    rng = random.Random(seed)
    asked = [order for order in orders(rng, [1]) if order[:2] != ("RAFT.CLUSTER", "INIT")]
    ask(node, asked)
    assert node.call("RAFT.CLUSTER", "INIT") != "", node.log_text()[-500:]
    wait_serving(node)
    assert node.call("SET", "k", "v") == "OK"


def test_of_a_node_that_lost_its_majority(make_cluster, seed):
    cluster = make_cluster(3, options=OPTIONS)
    node = cluster.wait_leader()
    others = [other for other in cluster.nodes if other is not node]
    for other in others:
        other.kill()
    ask(node, orders(random.Random(seed), [node.port])[:8])
    for other in others:
        other.start()
    cluster.wait_ready()
    assert node.call("SET", "k", "v") == "OK"


@pytest.mark.parametrize("asked_first", [1, 2])
def test_of_a_node_that_was_removed(make_cluster, seed, asked_first):
    cluster = make_cluster(3, options=OPTIONS)
    gone = cluster.node(3)
    assert cluster.node(asked_first).call("RAFT.NODE", "REMOVE", 3, timeout=20) == "OK"
    wait_until(lambda: isinstance(gone.call("GET", "k"), RespError), 20, "the node to know")
    ask(gone, orders(random.Random(seed), [node.port for node in cluster.nodes])[:15])
    assert cluster.node(1).call("SET", "k", "v") == "OK"
    assert cluster.node(2).info("raft")["raft_num_nodes"] == "2"
