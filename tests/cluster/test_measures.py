"""INFO commandstats, SLOWLOG and LATENCY between processes: what a node tells of its own clients."""
from __future__ import annotations

import re

from support.waiting import wait_until

WRITES = 200


def stats(node, command):
    """The numbers of a command on this node, or zeros."""
    text = node.info("commandstats").get("cmdstat_" + command, "")
    numbers = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", text)}
    return numbers or {"calls": 0, "usec": 0, "usec_per_call": 0, "rejected_calls": 0, "failed_calls": 0}


def pairs(reply):
    """A RESP2 map."""
    return dict(zip(reply[::2], reply[1::2]))


def test_commands_count_at_the_node_of_their_client_and_nowhere_else(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    with follower.connect() as connection:
        replies = connection.pipeline([("SET", f"k{n}", "x") for n in range(WRITES)])
        assert all(reply == "OK" for reply in replies)
        for n in range(10):
            assert connection.must("SET", "alone", n) == "OK"
        assert connection.call("LPUSH", "k0", "x").code == "WRONGTYPE"
        assert connection.call("GET").code == "ERR"
        connection.pipeline([("MULTI",), ("INCR", "n"), ("INCR", "k0"), ("EXEC",)])
        histogram = pairs(pairs(connection.must("LATENCY", "HISTOGRAM", "set"))[b"set"])
    cluster.wait_applied_equal()
    here = stats(follower, "set")
    assert here["calls"] == WRITES + 10 and here["failed_calls"] == 0
    assert 0 < here["usec"] and here["usec_per_call"] < 10_000
    assert stats(follower, "lpush") | {"usec": 0, "usec_per_call": 0} == {
        "calls": 1, "usec": 0, "usec_per_call": 0, "rejected_calls": 0, "failed_calls": 1}
    assert stats(follower, "get")["rejected_calls"] == 1
    assert stats(follower, "incr")["calls"] == 2 and stats(follower, "incr")["failed_calls"] == 1
    assert stats(follower, "exec")["calls"] == 1 and stats(follower, "exec")["failed_calls"] == 0
    # Clients wait for the log: by the way there is more in a reply than in executing its command.
    assert histogram[b"calls"] == WRITES + 10
    counts = pairs(histogram[b"histogram_usec"])
    assert list(counts.values()) == sorted(counts.values()) and max(counts.values()) == WRITES + 10
    alone = re.search(r"p50=([\d.]+)", follower.info("latencystats")["latency_percentiles_usec_set"])
    assert float(alone[1]) > here["usec_per_call"]
    for node in cluster.nodes:
        if node is not follower:
            assert stats(node, "set")["calls"] == 0, "another node's clients"
            assert node.call("LATENCY", "HISTOGRAM", "set") == []
    assert leader.info("errorstats").get("errorstat_WRONGTYPE") is None
    errors = follower.info("errorstats")
    assert errors["errorstat_WRONGTYPE"] == "count=1"
    assert follower.call("CONFIG", "RESETSTAT") == "OK"
    assert stats(follower, "set")["calls"] == 0
    assert "errorstat_WRONGTYPE" not in follower.info("errorstats")


def test_slowlog_is_kept_where_the_client_is(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    node, other = cluster.nodes[0], cluster.nodes[1]
    for one in (node, other):
        assert one.call("CONFIG", "SET", "slowlog-log-slower-than", 0,
                        "latency-monitor-threshold", 1) == "OK"
    with node.connect() as connection:
        connection.must("CLIENT", "SETNAME", "me")
        connection.must("SLOWLOG", "RESET")
        assert connection.must("SET", "slow", "x" * 200) == "OK"
        work = "local n = 0 for i = 1, 3000000 do n = n + i end return n"
        assert connection.must("EVAL", work, 0) == 4500001500000
        entries = connection.must("SLOWLOG", "GET", "-1")
        address = connection.must("CLIENT", "INFO").decode()
    wanted = {entry[3][0]: entry for entry in entries}
    assert wanted[b"SET"][3][2] == b"x" * 128 + b"... (72 more bytes)"
    assert wanted[b"SET"][5] == b"me"
    assert f"addr={wanted[b'SET'][4].decode()} " in address
    assert wanted[b"EVAL"][2] > 1000, "three million steps in a millisecond"
    assert [entry[0] for entry in entries] == sorted((entry[0] for entry in entries), reverse=True)
    # By now the other one has executed both; not for a client of its own.
    cluster.wait_applied_equal()
    assert not [entry for entry in other.call("SLOWLOG", "GET", "-1") if entry[3][0] in (b"SET", b"EVAL")]
    events = {event[0] for event in node.call("LATENCY", "LATEST")}
    assert {b"command", b"script"} <= events
    assert b"script" not in {event[0] for event in other.call("LATENCY", "LATEST")}
    graph = node.call("LATENCY", "GRAPH", "script").decode()
    assert graph.startswith("script - high ")
    assert "script: 1 latency spikes" in node.call("LATENCY", "DOCTOR").decode()


def test_an_election_is_remembered_and_a_restart_counts_nothing_of_the_replay(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    for node in cluster.nodes:
        assert node.call("CONFIG", "SET", "latency-monitor-threshold", 1) == "OK"
    with cluster.followers()[0].connect() as connection:
        connection.pipeline([("INCR", "n") for _ in range(WRITES)])
    leader.kill()
    cluster.wait_leader(other_than=leader)
    survivors = [node for node in cluster.nodes if node is not leader]

    def remembered(node):
        return b"election" in {event[0] for event in node.call("LATENCY", "LATEST")}

    # Votes and the new leader's first entry are synced, so it took a while by everybody's clock.
    wait_until(lambda: any(remembered(node) for node in survivors), 10, "the election to be noticed")
    for node in filter(remembered, survivors):
        assert node.call("LATENCY", "HISTORY", "election")[-1][1] >= 1
    leader.start()
    wait_until(lambda: leader.call("GET", "n") == str(WRITES).encode(), 20, "it to serve again")
    assert stats(leader, "incr")["calls"] == 0
    assert stats(leader, "get")["calls"] >= 1


def test_a_batch_is_followed_by_its_number_on_every_node(make_cluster):
    """RAFT.TRACE"""
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    origin = cluster.followers()[0]
    for node in cluster.nodes:
        assert node.call("RAFT.TRACE", "ON", 1) == "OK"
    with origin.connect() as connection:
        for n in range(20):
            assert connection.must("SET", f"traced:{n}", "x" * 100) == "OK"
    cluster.wait_applied_equal()

    def followed(node):
        return {batch[b"batch"]: batch for batch in map(pairs, node.call("RAFT.TRACE", "GET", -1))}
    own = [batch for batch in followed(origin).values() if batch[b"answered"] >= 0]
    assert len(own) >= 20
    order = [b"arrived", b"handed-over", b"committed", b"applied", b"answered"]
    for batch in own:
        assert batch[b"leader"] == leader.id and batch[b"term"] > 0 and batch[b"index"] > 0
        stages = [batch[name] for name in order]
        assert stages == sorted(stages) and stages[0] == 0, batch
        assert batch[b"appended"] <= batch[b"durable"]
        at_leader = followed(leader)[batch[b"batch"]]
        assert at_leader[b"index"] == batch[b"index"] and at_leader[b"arrived"] == -1
        assert 0 <= at_leader[b"appended"] <= at_leader[b"durable"] <= at_leader[b"committed"]
    for node in cluster.nodes:
        assert node.call("RAFT.TRACE", "OFF") == "OK"
        assert node.call("RAFT.TRACE", "RESET") == "OK"
    assert origin.call("SET", "traced", "no more") == "OK"
    assert origin.call("RAFT.TRACE", "GET") == []
