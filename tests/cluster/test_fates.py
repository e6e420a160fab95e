"""What is told when the cluster cannot: the first word of an error decides [F5, F36]."""
from __future__ import annotations

import time

import pytest

from support import fates
from support.cluster import wait_serving
from support.resp import RespError
from support.waiting import wait_until

SHORT = {"raft.response-timeout": 1500}


@pytest.fixture(scope="module")
def partitioned():
    from support.cluster import Cluster
    with Cluster(3, proxies=True, options=SHORT, name="fates") as cluster:
        cluster.start()
        yield cluster


@pytest.fixture
def cluster(partitioned):
    partitioned.proxies.heal()
    for node in partitioned.nodes:
        wait_serving(node)
    yield partitioned
    partitioned.proxies.heal()


def test_without_a_majority_writes_and_reads_are_refused_in_time(make_cluster):
    cluster = make_cluster(3, options=SHORT)
    survivor = cluster.followers()[0]
    assert survivor.call("SET", "k", "v") == "OK"
    for node in cluster.nodes:
        if node is not survivor:
            node.kill()
    wait_until(lambda: survivor.info("raft").get("raft_leader_id") in ("-1", "0"), 10, "no leader")
    for command in (("SET", "k", "lost"), ("GET", "k"), ("MGET", "k", "l")):
        began = time.monotonic()
        reply = survivor.call(*command)
        took = time.monotonic() - began
        assert isinstance(reply, RespError) and reply.code in ("CLUSTERDOWN", "TIMEOUT"), reply
        assert took < 4.0, f"{command} hung for {took:.1f} s"
    assert survivor.call("SET", "k", "lost").text.startswith(
        ("CLUSTERDOWN No raft leader", "TIMEOUT"))
    with survivor.connect() as connection:
        connection.must("READONLY")
        assert connection.must("GET", "k") == b"v"  # asked for less, gets it
        connection.must("READWRITE")
        assert isinstance(connection.call("GET", "k"), RespError)
    for node in cluster.nodes:
        if not node.alive():
            node.start()
    wait_serving(survivor)
    assert survivor.call("GET", "k") in (b"v", b"lost")


def test_an_isolated_leader_serves_no_read_and_acknowledges_no_write(cluster):
    """As etcd 0.4 and Consul did: a deposed leader must not answer from memory."""
    leader = cluster.wait_leader()
    others = [n for n in cluster.nodes if n is not leader]
    others[0].call("SET", "iso", "old")
    cluster.proxies.isolate(leader.id)
    new = cluster.wait_leader(among=others)
    assert new.call("SET", "iso", "new") == "OK"
    with leader.connect() as connection:
        for command in (("GET", "iso"), ("SET", "iso", "usurped")):
            reply = connection.call(*command)
            assert isinstance(reply, RespError), f"the isolated leader answered {reply!r}"
            assert fates.of_error(reply) in (fates.FAIL, fates.INFO)
    cluster.proxies.heal()
    wait_serving(leader)
    # [F5] the isolated one's write was answered as unknown: later it may not come back by itself.
    for node in cluster.nodes:
        assert node.call("GET", "iso") == b"new"


def test_a_write_answered_timeout_does_not_come_back_after_later_writes(cluster):
    """[F5]: what is sent again after TIMEOUT is void. (A copy that TCP itself delivers late is as
    unknown as TIMEOUT says; the links are cut here, so that none is left on the way.)"""
    cut_off = cluster.followers()[0]
    other = next(n for n in cluster.followers() if n is not cut_off)
    assert other.call("SET", "zombie", 0) == "OK"
    cluster.proxies.isolate(cut_off.id)
    reply = cut_off.call("SET", "zombie", 1)
    assert isinstance(reply, RespError) and reply.code in ("TIMEOUT", "CLUSTERDOWN"), reply
    for node in cluster.nodes:
        if node is not cut_off:
            cluster.proxies.cut(node.id, cut_off.id)
    assert other.call("SET", "zombie", 2) == "OK"
    cluster.proxies.heal()
    wait_serving(cut_off)
    cluster.wait_applied_equal()
    for node in cluster.nodes:
        assert node.call("GET", "zombie") == b"2", "a write came back from the dead"
    # and the node's writes go on: its numbers have no hole
    for i in range(20):
        assert cut_off.call("SET", f"after:{i}", i) == "OK"


def test_a_short_silence_is_only_latency(cluster):
    """Links that are silent for less than the response timeout: no error anywhere, nothing twice."""
    follower = cluster.followers()[0]
    before = int(follower.call("GET", "blip") or 0)
    with follower.connect() as connection:
        for _ in range(5):
            connection.send("INCR", "blip")
            cluster.proxies.reset_connections()
            assert isinstance(connection.read(), int)
    assert int(follower.call("GET", "blip")) == before + 5


def test_a_mute_follower_and_a_deaf_one_do_not_stop_the_others(cluster):
    """One-way partitions (check-quorum, pre-vote)."""
    leader = cluster.wait_leader()
    victim = cluster.followers()[0]
    for direction in ((victim.id, leader.id), (leader.id, victim.id)):
        cluster.proxies.block(*direction)
        third = next(n for n in cluster.nodes if n not in (leader, victim))
        for i in range(10):
            assert third.call("SET", f"oneway:{i}", i) == "OK"
        cluster.proxies.heal()
        wait_serving(victim)


def test_a_deaf_leader_is_replaced(cluster):
    """It can send heartbeats and hears no answer: check-quorum must end its reign."""
    leader = cluster.wait_leader()
    others = [n for n in cluster.nodes if n is not leader]
    for other in others:
        cluster.proxies.block(other.id, leader.id)
    wait_until(lambda: leader.info("raft").get("raft_role") != "leader", 10, "it to step down")
    cluster.proxies.heal()
    cluster.wait_leader()
    assert others[0].call("SET", "deaf", 1) == "OK"


def test_every_error_has_a_word_that_tells_its_fate(cluster):
    with cluster.node(1).connect() as connection:
        connection.must("RPUSH", "list", 1)
        for command in (("GET", "list"), ("NOSUCH",), ("GET",), ("SET", "k"), ("INCRBY", "k", "x"),
                        ("SELECT", 99), ("EXEC",), ("HELLO", 9), ("AUTH", "x"),
                        ("CLIENT", "NOPE"), ("CONFIG", "SET", "nope", 1)):
            reply = connection.call(*command)
            assert isinstance(reply, RespError), command
            assert fates.of_error(reply) == fates.FAIL
