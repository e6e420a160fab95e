"""RedisRaft's admin dialect on real nodes: forming by INIT and JOIN, RAFT.NODE, RAFT.TRANSFER_LEADER,
RAFT.DEBUG, its log arithmetic, SHUTDOWN, and a command line made for redis-server with a module."""
from __future__ import annotations

import threading

import pytest

from support.cluster import SECRET, wait_serving
from support.resp import RespError
from support.waiting import wait_until


def index_of(node) -> int:
    return int(node.info()["raft_current_index"])


def votes(node) -> bool:
    info = node.info()
    return info.get("raft_state") == "up" and info.get("raft_is_voting") == "yes"


def manual(make_cluster, size):
    """Nodes that wait to be told, on a command line as for redis-server with RedisRaft."""
    cluster = make_cluster(size, peers=False, start=False, options={
        "raft.bootstrap": "manual", "raft.cluster-secret": SECRET, "dbfilename": "raft.rdb",
        "loadmodule": "/usr/lib/redisraft.so", "raft.log-filename": "raft.db",
        "raft.follower-proxy": "yes"})
    for node in cluster.nodes:
        node.options["raft.addr"] = f"127.0.0.1:{node.port}"
        node.start()
    wait_until(lambda: all(n.info().get("raft_state") == "uninitialized" for n in cluster.nodes), 20,
               "all nodes to wait for RAFT.CLUSTER")
    return cluster


@pytest.fixture
def formed(make_cluster):
    """Three nodes formed by hand."""
    cluster = manual(make_cluster, 3)
    first = cluster.node(1)
    assert first.call("RAFT.CLUSTER", "INIT").startswith("OK ")
    wait_serving(first)
    for node in cluster.nodes[1:]:
        assert node.call("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{first.port}", timeout=30) == "OK"
        wait_until(lambda node=node: votes(node), 20, f"node {node.id} to vote")
        wait_serving(node)
    return cluster


def test_init_and_join_write_two_entries_each(make_cluster):
    cluster = manual(make_cluster, 3)
    first, second, third = cluster.nodes
    assert "ignored" in first.log_text() and "loadmodule /usr/lib/redisraft.so" in first.log_text()
    assert str(first.call("GET", "x")).startswith("NOCLUSTER")
    assert str(first.call("RAFT.NODE", "REMOVE", 1)) == "NOCLUSTER No Raft Cluster"
    assert str(first.call("RAFT.CLUSTER", "INIT", "short")) == \
        "ERR cluster id must be 32 characters"
    dbid = "0123456789abcdef" * 2
    assert first.call("RAFT.CLUSTER", "INIT", dbid) == f"OK {dbid}"
    wait_serving(first)
    assert str(first.call("RAFT.CLUSTER", "INIT")) == "ERR Already cluster member"
    # The members, the leader's first entry, the settings that the cluster begins with.
    wait_until(lambda: index_of(first) == 3, 5, "the cluster's settings")
    for node, index in ((second, 5), (third, 7)):
        assert node.call("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{first.port}", timeout=30) == "OK"
        wait_until(lambda node=node: votes(node), 20, f"node {node.id} to vote")
        wait_serving(node)
        assert wait_until(lambda: index_of(first) == index, 5, f"index {index}"), index_of(first)
        assert node.info()["raft_dbid"] == dbid
    assert third.call("SET", "a", "1") == "OK"
    wait_until(lambda: index_of(first) == 8, 5, "one entry for a command")
    assert [n.call("GET", "a") for n in cluster.nodes * 10] == [b"1"] * 30
    assert third.call("SET", "a", "2") == "OK"
    wait_until(lambda: index_of(first) >= 9, 5, "the next entry")
    assert index_of(first) == 9, "reads write nothing"


def test_a_node_is_added_and_removed_for_good(formed, make_cluster):
    new = manual(make_cluster, 1).node(1)
    new.kill()
    new.wipe()
    new.options["raft.id"] = 4
    new.start()
    wait_until(lambda: new.info().get("raft_state") == "uninitialized", 20, "node 4 to wait")
    asked = formed.followers()[0]
    dbid = asked.info()["raft_dbid"]
    assert asked.call("RAFT.NODE", "ADD", 4, f"127.0.0.1:{new.port}", timeout=30) == [4, dbid]
    wait_until(lambda: votes(new), 30, "node 4 to vote")
    wait_serving(new)
    assert new.call("SET", "from", "four") == "OK"
    assert formed.node(1).call("GET", "from") == b"four"
    assert sorted(formed.node(2).call("RAFT.DEBUG", "USED_NODE_IDS")) == [1, 2, 3, 4]

    assert str(asked.call("RAFT.NODE", "REMOVE", 9)) == "ERR node id does not exist"
    assert asked.call("RAFT.NODE", "REMOVE", 4, timeout=30) == "OK"
    wait_until(lambda: not new.alive() or new.info().get("raft_state") != "up", 20,
               "the removed node to serve nobody")
    info = formed.node(1).info()
    assert info["raft_num_nodes"] == "3" and info["raft_num_voting_nodes"] == "3"
    assert 4 in formed.node(2).call("RAFT.DEBUG", "USED_NODE_IDS")
    new.ended_by_us = True


def test_leadership_goes_to_whom_it_is_told(formed):
    leader = formed.wait_leader()
    target = formed.followers()[0]
    assert str(leader.call("RAFT.TRANSFER_LEADER", 77)) == "ERR invalid node id"
    assert str(leader.call("RAFT.TRANSFER_LEADER", "x")) == "ERR invalid target node id"
    assert leader.call("RAFT.TRANSFER_LEADER", target.id) == "OK"
    wait_until(lambda: formed.leader() is target, 5, "the target to lead")
    other = formed.followers()[0]
    assert other.call("CLUSTER", "FAILOVER") == "OK"
    wait_until(lambda: formed.leader() is other, 5, "the replica that asked to lead")
    again = formed.followers()[0]
    assert again.call("RAFT.TIMEOUT_NOW") == "OK"
    wait_until(lambda: formed.leader() is again, 5, "the node that asked to lead")
    assert again.call("RAFT.TRANSFER_LEADER") == "OK"
    wait_until(lambda: formed.leader() not in (None, again), 5, "anybody else to lead")


def test_debug_exec_reads_here_and_writes_nowhere(formed):
    formed.node(1).call("SET", "k", "v")
    formed.wait_applied_equal()
    follower = formed.followers()[0]
    assert follower.call("RAFT.DEBUG", "EXEC", "GET", "k") == b"v"
    assert isinstance(follower.call("RAFT.DEBUG", "EXEC", "SET", "k", "other"), RespError)
    assert [n.call("GET", "k") for n in formed.nodes] == [b"v"] * 3
    assert follower.call("RAFT", "GET", "k") == b"v"
    assert follower.call("RAFT.DEBUG", "COMMANDSPEC", "get") == 2


def test_compact_empties_the_log_and_leaves_the_indexes(formed):
    node = formed.wait_leader()
    for i in range(50):
        node.call("SET", f"c:{i}", i)
    formed.wait_applied_equal()
    before = node.info()
    assert int(before["raft_log_entries"]) > 50
    assert node.call("RAFT.DEBUG", "COMPACT", timeout=60) == "OK"
    wait_until(lambda: node.info()["raft_log_entries"] == "0", 5, "an empty log")
    assert node.info()["raft_current_index"] == before["raft_current_index"]
    saved = node.call("LASTSAVE")
    assert node.call("BGSAVE") == "Background saving started"
    wait_until(lambda: node.info("persistence")["rdb_bgsave_in_progress"] == "0", 30, "BGSAVE's end")
    assert node.call("LASTSAVE") >= saved and node.info("persistence")["rdb_last_bgsave_status"] == "ok"
    node.kill()
    node.start()
    wait_serving(node)
    assert [node.call("GET", f"c:{i}") for i in range(50)] == [str(i).encode() for i in range(50)]


def test_shutdown_hands_over_and_ends_the_process_without_a_client_error(formed):
    leader = formed.wait_leader()
    asked = formed.followers()[0]
    wrong, stop = [], threading.Event()

    def write():
        number = 0
        with asked.connect() as c:
            while not stop.is_set():
                number += 1
                answer = c.call("SET", "n", number)
                if answer != "OK":
                    wrong.append(str(answer))

    writer = threading.Thread(target=write)
    writer.start()
    leader.ended_by_us = True
    try:
        with pytest.raises(OSError):
            assert leader.call("SHUTDOWN") is None  # no answer: the connection ends
        assert leader.process.wait(20) == 0
        formed.wait_leader(other_than=leader)
    finally:
        stop.set()
        writer.join(20)
    assert not wrong
    assert str(asked.call("RAFT.NODESHUTDOWN", 99)) == "invalid node id"
    asked.ended_by_us = True
    with pytest.raises(OSError):
        asked.call("RAFT.NODESHUTDOWN", asked.id)
    asked.process.wait(20)


def launched(make_cluster, size):
    """As RedisRaft's own tools start their nodes: a module, the name of a log, numbers that are drawn."""
    cluster = make_cluster(size, peers=False, start=False, options={
        "loadmodule": "/usr/lib/redisraft.so", "dbfilename": "raft.rdb",
        "raft.log-filename": "raft.db", "raft.id": 0, "raft.response-timeout": 1000})
    for node in cluster.nodes:
        node.options["raft.addr"] = f"127.0.0.1:{node.port}"
        node.start()
    wait_until(lambda: all(n.info().get("raft_state") == "uninitialized" for n in cluster.nodes), 20,
               "all nodes to wait for RAFT.CLUSTER")
    return cluster


def test_whoever_was_told_ok_may_go_on(make_cluster):
    """The answers of INIT and JOIN are not early: what follows at once is served."""
    cluster = launched(make_cluster, 3)
    first, *others = cluster.nodes
    assert str(first.call("RAFT.CLUSTER", "INIT", timeout=30)).startswith("OK ")
    assert first.call("SET", "n", 0) == "OK"
    for node in others:
        assert node.call("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{first.port}", timeout=30) == "OK"
        moved = node.call("SET", "n", 1)  # raft.follower-proxy is no in this dialect
        assert moved == RespError(f"MOVED {node.call('CLUSTER', 'KEYSLOT', 'n')} "
                                  f"127.0.0.1:{cluster.wait_leader().port}"), moved
        assert node.call("CONFIG", "SET", "raft.follower-proxy", "yes") == "OK"
        assert node.call("INCR", "n") >= 1
        assert "cluster_enabled:1" in node.call("INFO").decode()
        assert node.call("CONFIG", "GET", "cluster-enabled") == [b"cluster-enabled", b"no"]
        assert b"mode" in node.call("HELLO", 2) and b"standalone" in node.call("HELLO", 2)
    ids = {int(node.info()["raft_node_id"]) for node in cluster.nodes}
    assert len(ids) == 3 and min(ids) > 1, "each drew a number of its own"
    before = int(others[0].info()["raft_node_id"])
    others[0].kill()
    others[0].start()
    wait_serving(others[0])
    assert int(others[0].info()["raft_node_id"]) == before, "and keeps it"


def test_a_removed_node_ends_and_comes_back_as_a_new_one(make_cluster):
    cluster = launched(make_cluster, 3)
    first, second, third = cluster.nodes
    first.call("RAFT.CLUSTER", "INIT", timeout=30)
    for node in (second, third):
        assert node.call("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{first.port}", timeout=30) == "OK"
        wait_until(lambda node=node: votes(node), 20, "the new node to vote")
    gone = int(third.info()["raft_node_id"])
    third.ended_by_us = True
    assert first.call("RAFT.NODE", "REMOVE", gone, timeout=30) == "OK"
    assert third.process.wait(20) == 0
    third.start()
    wait_until(lambda: third.info().get("raft_state") == "uninitialized", 20, "an empty node")
    assert any(path.name.startswith("removed-") for path in third.dir.iterdir())
    assert third.call("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{first.port}", timeout=30) == "OK"
    assert int(third.info()["raft_node_id"]) != gone
    assert sorted(first.call("RAFT.DEBUG", "USED_NODE_IDS")) == sorted(
        {gone, *(int(node.info()["raft_node_id"]) for node in cluster.nodes)})
