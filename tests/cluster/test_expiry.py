"""Keys that expire, with clocks that disagree and leaders that die [F8, F9, F37]."""
from __future__ import annotations

import time

import pytest

from support.processes import why_no_faketime
from support.resp import RespError
from support.waiting import wait_until

pytestmark = pytest.mark.skipif(why_no_faketime() is not None, reason=str(why_no_faketime()))

HOUR = 3600


def make_skewed(make_cluster, offsets):
    cluster = make_cluster(3, faketime=True, start=False)
    for node, offset in zip(cluster.nodes, offsets):
        node.set_clock(offset)
    cluster.start()
    for node, offset in zip(cluster.nodes, offsets):
        with node.connect() as connection:
            seconds = int(connection.must("TIME")[0])
        if abs(seconds - time.time() - offset) > 30:
            pytest.skip("fakeclock.c does not reach this server's clock calls")
    return cluster


def follow(node, key, seconds):
    """Reads until the key is gone; returns the moment. Fails if it ever comes back."""
    gone = None
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = node.call("GET", key)
        assert not isinstance(value, RespError), value
        if value is None:
            gone = gone or time.monotonic()
        elif gone:
            raise AssertionError(f"{key} came back {time.monotonic() - gone:.2f} s after it was gone")
    return gone


@pytest.mark.parametrize("offsets", [(0, HOUR, -HOUR), (-HOUR, 0, HOUR)])
def test_a_key_seen_expired_stays_expired_over_failovers_with_clocks_an_hour_apart(
        make_cluster, offsets):
    """[F9]: whoever leads, and whoever leads next, an hour ahead or behind."""
    cluster = make_skewed(make_cluster, offsets)
    for round_number in range(3):
        leader = cluster.wait_leader()
        key = f"f9:{round_number}"
        reader = next(n for n in cluster.nodes if n is not leader)
        assert reader.call("SET", key, "v", "PX", 700) == "OK"
        set_at = time.monotonic()
        assert reader.call("GET", key) == b"v"
        wait_until(lambda: reader.call("GET", key) is None, 10, "expiry under the first leader")
        took = time.monotonic() - set_at
        assert took > 0.6, f"expired after {took:.2f} s: the skew leaked into the deadline"
        leader.kill()
        cluster.wait_leader(other_than=leader)
        for node in cluster.alive():
            assert node.call("GET", key) is None, "an expired key came back with the new leader"
        assert reader.call("SET", key, "w", "NX") == "OK"  # and writers agree with readers
        leader.start()
        cluster.wait_ready()


def test_time_goes_on_after_a_leader_with_a_fast_clock_died(make_cluster):
    """[F37]: the next leader's clock is an hour behind the log; keys must expire all the same."""
    cluster = make_skewed(make_cluster, (0, 0, 0))
    leader = cluster.wait_leader()
    for node in cluster.nodes:
        node.kill()
    # The former leader comes first and an hour ahead, so that it likely leads; either way one does.
    for node in cluster.nodes:
        node.set_clock(HOUR if node is leader else 0)
    cluster.start()
    fast = cluster.wait_leader()
    assert fast.call("SET", "stamped", 1, "PX", 500) == "OK"
    fast.kill()
    slow = cluster.wait_leader(other_than=fast)
    assert slow.call("SET", "later", 1, "PX", 800) == "OK"
    began = time.monotonic()
    assert follow(slow, "later", 3.0) is not None, "time stands still after a fast leader"
    assert slow.call("TTL", "later") == -2
    assert time.monotonic() - began < 10


def test_clocks_that_are_apart_are_told(make_cluster):
    """[F37]: in the leader's log, and in its INFO, to about 50 ms."""
    cluster = make_skewed(make_cluster, (0, 0, 0))
    leader = cluster.wait_leader()
    slow, fast = [node for node in cluster.nodes if node is not leader]

    def ahead(node):
        for name, value in leader.info("raft").items():
            fields = dict(f.split("=", 1) for f in value.split(",")) if name.startswith("raft_node") and "=" in value else {}
            if fields.get("id") == str(node.id):
                return int(fields.get("clock_ahead_ms", 10**9))
        return 10**9
    wait_until(lambda: abs(ahead(fast)) < 200 and abs(ahead(slow)) < 200, 10, "clocks to be compared")
    assert "synchronise the clocks" not in leader.log_text()
    fast.set_clock(30)
    slow.set_clock(-30)
    wait_until(lambda: abs(ahead(fast) - 30_000) < 200 and abs(ahead(slow) + 30_000) < 200, 10,
               "the difference in INFO")
    wait_until(lambda: leader.log_text().count("synchronise the clocks") == 2, 10, "warnings")
    assert f"the clock of node {fast.id} is " in leader.log_text() and " ms ahead of" in leader.log_text()
    time.sleep(2)
    assert leader.log_text().count("synchronise the clocks") == 2, "the same warning again"


def test_expired_keys_leave_the_counts_on_all_nodes(make_cluster):
    cluster = make_cluster(3)
    with cluster.node(1).connect() as connection:
        connection.pipeline([("SET", f"e:{i}", i, "PX", 300) for i in range(100)])
        connection.must("SET", "stays", 1)
    for node in cluster.nodes:
        wait_until(lambda: node.call("DBSIZE") == 1, 15, f"node {node.id} to count one key")
        assert node.call("KEYS", "*") == [b"stays"]


def test_a_new_value_is_never_killed_by_an_old_deadline(make_cluster):
    """[F8]: SET right at the deadline of the old value, many times; the new one has no TTL."""
    cluster = make_cluster(3)
    with cluster.node(1).connect() as a, cluster.node(2).connect() as b:
        for i in range(60):
            key = f"f8:{i}"
            a.must("SET", key, "old", "PX", 5 + i % 7)
            wait_until(lambda: a.must("PTTL", key) <= 2, 5, "the deadline", interval=0.0005)
            assert b.must("SET", key, "new") == "OK"
        wait_until(lambda: int(cluster.wait_leader().info("raft")["raft_commit_index"]) > 0, 1, "-")
        cluster.wait_applied_equal()
        for i in range(60):
            assert a.must("GET", f"f8:{i}") == b"new"
            assert b.must("TTL", f"f8:{i}") == -1
