"""What a client of any node may rely on while nothing fails: linearizable reads on every node,
program order in pipelines [F6], WATCH across nodes [F11], and the exceptions it asks for."""
from __future__ import annotations

import itertools
import threading

import pytest

from support.resp import RespError
from support.waiting import wait_until


def rotating(cluster):
    connections = [node.connect() for node in cluster.nodes]
    return connections, itertools.cycle(range(len(connections)))


def test_a_write_on_one_node_is_read_on_the_next_at_once(shared):
    connections, turn = rotating(shared)
    for i in range(600):
        writer = next(turn)
        assert connections[writer].call("SET", f"ryw:{i}", i) == "OK"
        reader = (writer + 1 + i % 2) % len(connections)
        assert connections[reader].call("GET", f"ryw:{i}") == str(i).encode(), f"stale read {i}"


def test_a_value_never_goes_back_for_readers_on_other_nodes(shared):
    """One writer counts up; readers on each node must see it grow, across nodes."""
    stop = threading.Event()
    problems, floor = [], [0]

    def write():
        with shared.node(1).connect() as connection:
            for value in itertools.count(1):
                if stop.is_set():
                    return
                connection.must("SET", "mono", value)
                floor[0] = value  # acknowledged: no later read may be older

    def read(node):
        with node.connect() as connection:
            while not stop.is_set():
                at_least = floor[0]
                value = int(connection.must("GET", "mono") or 0)
                if value < at_least:
                    problems.append((node.id, value, at_least))

    threads = [threading.Thread(target=write)] + [threading.Thread(target=read, args=(node,))
                                                  for node in shared.nodes]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: floor[0] > 500 or problems, 30, "500 writes")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not problems


@pytest.mark.parametrize("node_id", [1, 2, 3])
def test_mixed_pipelines_keep_program_order(shared, node_id):
    """[F6] on the leader and on followers: a read sees all earlier writes of its connection and none
    of the later ones."""
    with shared.node(node_id).connect() as connection:
        for round_number in range(60):
            key = f"f6:{node_id}:{round_number}"
            replies = connection.pipeline([
                ("GET", key), ("SET", key, "1"), ("GET", key), ("INCR", key), ("GET", key),
                ("APPEND", key, "x"), ("GET", key), ("STRLEN", key), ("DEL", key), ("GET", key),
                ("EXISTS", key), ("RPUSH", key, "a", "b"), ("LRANGE", key, 0, -1), ("GET", key),
                ("PING",), ("TYPE", key)])
            wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value"
            assert replies == [None, "OK", b"1", 2, b"2", 2, b"2x", 2, 1, None, 0, 2, [b"a", b"b"],
                               RespError(wrong_type), "PONG", "list"]


def test_pipelines_of_many_connections_get_their_own_replies(shared):
    """Crossed wires (RedisRaft's issues 25, 26): every reply names its request."""
    problems = []

    def client(number, node):
        with node.connect() as connection:
            for i in range(40):
                tags = [f"{number}:{i}:{j}" for j in range(20)]
                commands = []
                for tag in tags:
                    commands += [("SET", f"cw:{number}", tag), ("GET", f"cw:{number}"),
                                 ("ECHO", tag)]
                replies = connection.pipeline(commands)
                expected = [r for tag in tags for r in ("OK", tag.encode(), tag.encode())]
                if replies != expected:
                    problems.append((number, i, replies))
                    return

    threads = [threading.Thread(target=client, args=(n, shared.nodes[n % 3])) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]


def test_multi_exec_is_one_unit_for_readers_on_other_nodes(shared):
    """A transfer keeps its total in every state that any node shows."""
    a, b, c = (node.connect() for node in shared.nodes)
    a.must("MSET", "{u}x", 50, "{u}y", 50)
    stop, sums = threading.Event(), set()

    def reader():
        while not stop.is_set():
            sums.add(sum(int(v) for v in c.must("MGET", "{u}x", "{u}y")))

    thread = threading.Thread(target=reader)
    thread.start()
    for i in range(150):
        replies = (a, b)[i % 2].pipeline([("MULTI",), ("DECRBY", "{u}x", i), ("INCRBY", "{u}y", i),
                                          ("EXEC",)])
        assert replies[:3] == ["OK", "QUEUED", "QUEUED"] and len(replies[3]) == 2
    stop.set()
    thread.join()
    assert sums == {100}


def test_exec_is_aborted_by_a_write_through_another_node(shared):
    a, b, _ = (node.connect() for node in shared.nodes)
    a.must("SET", "w", 1)
    a.must("WATCH", "w")
    b.must("SET", "w", 2)
    a.must("MULTI")
    a.must("SET", "w", 3)
    assert a.must("EXEC") is None
    assert b.must("GET", "w") == b"2"
    # and goes through when nobody wrote
    a.must("WATCH", "w")
    assert a.pipeline([("MULTI",), ("INCR", "w"), ("EXEC",)])[-1] == [3]


@pytest.mark.parametrize("meddle", [
    [("SET", "wm", 5), ("DEL", "wm")],
    [("SET", "wm", 5, "PX", 1)],
    [("RPUSH", "wm", 5), ("FLUSHDB",)],
    [("SET", "other", 5), ("SET", "wm", 5)]])
def test_watch_of_a_missing_key_notices_that_it_was_there_meanwhile(shared, meddle):
    """[F11]"""
    a, b, _ = (node.connect() for node in shared.nodes)
    for connection in (a, b):
        connection.must("SELECT", 7)
    a.must("DEL", "wm")
    a.must("WATCH", "wm")
    for command in meddle:
        b.must(*command)
    wait_until(lambda: ("PX" not in meddle[0]) or b.must("EXISTS", "wm") == 0, 5, "expiry")
    assert a.pipeline([("MULTI",), ("SET", "wm", "mine"), ("EXEC",)])[-1] is None


def test_watch_unwatch_discard_and_queueing_errors(shared):
    with shared.node(2).connect() as c:
        c.must("SET", "wd", 1)
        c.must("WATCH", "wd")
        with shared.node(3).connect() as other:
            other.must("SET", "wd", 2)
        c.must("UNWATCH")
        assert c.pipeline([("MULTI",), ("INCR", "wd"), ("EXEC",)])[-1] == [3]
        assert c.pipeline([("MULTI",), ("SET", "wd", 9), ("DISCARD",)])[-1] == "OK"
        assert c.must("GET", "wd") == b"3"
        replies = c.pipeline([("MULTI",), ("NOSUCH",), ("EXEC",)])
        assert isinstance(replies[1], RespError)
        assert replies[2] == RespError("EXECABORT Transaction discarded because of previous errors.")
        replies = c.pipeline([("MULTI",), ("INCR", "wd"), ("LLEN", "wd"), ("INCR", "wd"), ("EXEC",)])
        assert [type(r) for r in replies[-1]] == [int, RespError, int]  # no roll-back, as in Redis
        assert c.must("GET", "wd") == b"5"


def test_concurrent_cas_loops_lose_no_update(shared):
    """WATCH/GET/MULTI/SET/EXEC from all nodes at once: acknowledged = counted."""
    committed = []

    def client(node):
        with node.connect() as connection:
            mine = 0
            while mine < 25:
                connection.must("WATCH", "cas")
                value = int(connection.must("GET", "cas") or 0)
                if connection.pipeline([("MULTI",), ("SET", "cas", value + 1), ("EXEC",)])[-1]:
                    mine += 1
            committed.append(mine)

    shared.node(1).call("DEL", "cas")
    threads = [threading.Thread(target=client, args=(node,)) for node in shared.nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int(shared.node(1).call("GET", "cas")) == sum(committed) == 75


def test_sixteen_databases_are_apart_on_all_nodes(shared):
    for database in range(16):
        with shared.nodes[database % 3].connect() as connection:
            connection.must("SELECT", database)
            connection.must("SET", "db", database)
    for node in shared.nodes:
        with node.connect() as connection:
            for database in range(16):
                connection.must("SELECT", database)
                assert connection.must("GET", "db") == str(database).encode()
            assert connection.call("SELECT", 16) == RespError("ERR DB index is out of range")


def test_readonly_serves_the_local_state_and_readwrite_goes_back(shared):
    with shared.followers()[0].connect() as connection:
        connection.must("SET", "ro", 1)
        assert connection.must("READONLY") == "OK"
        wait_until(lambda: connection.must("GET", "ro") == b"1", 5, "the local copy")
        assert connection.must("SET", "ro", 2) == "OK"  # writes still go to the leader
        assert connection.must("READWRITE") == "OK"
        assert connection.must("GET", "ro") == b"2"


def test_a_follower_without_proxy_answers_moved_with_the_leaders_address(make_cluster):
    cluster = make_cluster(3, start=False,
                           options={"raft.follower-proxy": "no", "cluster-enabled": "yes"})
    for node in cluster.nodes:
        node.start()
    leader = cluster.wait_leader()
    slot = leader.call("CLUSTER", "KEYSLOT", "k")
    moved = RespError(f"MOVED {slot} 127.0.0.1:{leader.port}")
    for node in cluster.nodes:
        for command in (("SET", "k", "v"), ("GET", "k")):
            reply = wait_until(lambda: _settled(node.call(*command)), 10, "an answer")
            if node is leader:
                assert not isinstance(reply, RespError), reply
            else:
                assert reply == moved
    with cluster.followers()[0].connect() as connection:
        connection.must("READONLY")
        assert connection.must("GET", "k") in (b"v", None)  # local, so no redirection


def test_a_plain_server_without_proxy_reads_and_answers_writes_readonly(make_cluster):
    cluster = make_cluster(3, start=False, options={"raft.follower-proxy": "no"})
    for node in cluster.nodes:
        node.start()
    leader = cluster.wait_leader()
    wait_until(lambda: leader.call("SET", "k", "v") == "OK", 10, "the leader to take a write")
    readonly = RespError("READONLY You can't write against a read only replica.")
    for node in cluster.followers():
        assert wait_until(lambda: _settled(node.call("GET", "k")), 10, "a read") == b"v"
        assert node.call("SET", "k", "w") == readonly
        with node.connect() as connection:
            connection.must("MULTI")
            connection.must("SET", "k", "w")
            assert connection.call("EXEC") == readonly
    # It may be changed while the node runs.
    follower = cluster.followers()[0]
    assert follower.call("CONFIG", "SET", "raft.follower-proxy", "yes") == "OK"
    assert follower.call("SET", "k", "w") == "OK"
    assert leader.call("GET", "k") == b"w"


def _settled(reply):
    """Not the answers of a node that has only just started."""
    if isinstance(reply, RespError) and reply.code in ("CLUSTERDOWN", "LOADING"):
        return None
    return [reply] and (reply if reply is not None else "nil")
