"""Each fault of scripts/chaos does something: without that, a run that passes shows nothing."""
from __future__ import annotations

import time

import pytest

from support.nemesis import Nemesis
from support.nemesis_disks import damageable, flip_bit, zero_page
from support.waiting import wait_until


def struck(make_cluster, kind: str, seed: int, options=None):
    """A cluster on which that fault has just begun."""
    cluster = make_cluster(3, start=False, options=options or {})
    nemesis = Nemesis(cluster, [kind], seed)
    if nemesis.skipped:
        pytest.skip(str(nemesis.skipped))
    nemesis.prepare()
    cluster.start()
    with cluster.node(1).connect() as connection:
        connection.pipeline([("SET", f"k:{i}", "x" * 500) for i in range(400)])
    fault = wait_until(lambda: nemesis.strike(kind), 15, f"room for {kind}", interval=0.2)
    return cluster, nemesis, fault


def let_it_end(nemesis, seconds: float = 60.0) -> None:
    def over():
        nemesis.turn()
        return not nemesis.active
    nemesis._next_start = float("inf")  # no other one
    wait_until(over, seconds, "the fault to end", interval=0.05)
    assert not nemesis.unasked_exits, nemesis.unasked_exits


def test_stop_leader_costs_the_leader_its_leadership(make_cluster, seed):
    cluster, nemesis, fault = struck(make_cluster, "stop-leader", seed)
    stopped = cluster.node(fault.nodes[0])
    assert stopped.paused
    new = cluster.wait_leader(10, other_than=stopped)
    assert new.call("SET", "k:0", "y") == "OK"
    let_it_end(nemesis)
    wait_until(lambda: stopped.info("raft").get("raft_role") == "follower", 10, "it to follow")
    assert stopped.call("GET", "k:0") == b"y"


def test_slow_disk_makes_syncs_slow(make_cluster, seed):
    cluster, nemesis, fault = struck(make_cluster, "slow-disk", seed)
    victim = cluster.node(fault.nodes[0])
    before = int(victim.info("raft").get("raft_fsync_max_microseconds", 0))
    began = time.monotonic()
    other = next(node for node in cluster.nodes if node is not victim)
    while time.monotonic() - began < 2:
        other.call("SET", "k:1", "z")
    let_it_end(nemesis)
    wait_until(lambda: int(victim.info("raft").get("raft_fsync_max_microseconds", 0))
               >= max(before, 90_000), 15, "a slow sync to be seen")
    cluster.wait_ready()


@pytest.mark.parametrize("kind", ["log", "state"])
@pytest.mark.parametrize("how", [flip_bit, zero_page])
def test_damage_is_refused_or_survived_and_the_node_comes_back(make_cluster, seed, kind, how):
    cluster, nemesis, _ = struck(make_cluster, "damage", seed)
    let_it_end(nemesis)
    assert nemesis.damaged, "nothing was damaged"
    node = next(n for n in cluster.nodes if n is not cluster.wait_leader())
    nemesis._damage_and_return(node, kind, how)
    assert len(nemesis.damaged) == 2 and nemesis.damaged[-1].startswith(kind), nemesis.damaged
    assert cluster.wait_applied_equal()
    for node in cluster.nodes:
        assert node.call("GET", "k:399") == b"x" * 500
        assert {"log", "state"} <= set(damageable(node))


def test_an_old_copy_is_put_back_and_its_node_votes_again_as_a_wiped_one(make_cluster, seed):
    """[F52]"""
    cluster, nemesis, fault = struck(make_cluster, "old-copy", seed)
    let_it_end(nemesis, 90)
    assert nemesis.put_back == 1
    said = "".join(node.log_text() for node in cluster.nodes)
    assert "old copy" in said, "nobody noticed it"
    assert cluster.node(fault.nodes[0]).call("GET", "k:399") == b"x" * 500


def test_a_double_is_told_that_its_number_lives_and_the_node_stays(make_cluster, seed):
    """[F49]"""
    cluster, nemesis, fault = struck(make_cluster, "double", seed)
    let_it_end(nemesis)
    assert len(nemesis.doubles) == 1
    assert f"node {fault.nodes[0]} lives" in nemesis.doubles[0], nemesis.doubles[0][-2000:]
    assert cluster.wait_applied_equal()
