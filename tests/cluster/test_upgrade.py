"""Upgrades, one node after the other and under load, and back: raft.test-max-version makes a node act
as an older build."""
from __future__ import annotations

import time

from support.chaosrun import judged
from support.cluster import wait_serving
from support.roaming import RoamingLoad, Roster, table

SETTLE = 0.5  # seconds of quiet between two steps


def roll(cluster, load, roster, version: int) -> None:
    """Every node ends and comes back as a build that supports cluster versions up to this one; the
    leader last."""
    leader = cluster.wait_leader()
    for node in [*cluster.followers(), leader]:
        load.mark(f"node {node.id} becomes {version}{' (leads)' if node is leader else ''}")
        roster.set([n for n in cluster.nodes if n is not node])
        assert node.terminate() == 0
        node.options["raft.test-max-version"] = str(version)
        node.start()
        wait_serving(node, 20)
        cluster.wait_ready()
        roster.set(cluster.nodes)
        load.spread()
        time.sleep(SETTLE)


def test_rolling_up_and_back_under_twenty_clients_shows_none_of_them_an_error(make_cluster, seed):
    """Until the cluster's version is raised every node may go back to the older build."""
    cluster = make_cluster(3, options={"raft.test-max-version": "1"})
    roster = Roster(cluster.nodes)
    load = RoamingLoad(roster, seed).start("3 old nodes")
    time.sleep(SETTLE)
    roll(cluster, load, roster, 2)
    roll(cluster, load, roster, 1)
    load.stop()
    print(f"\nupgrade and back under 20 clients\n{table(load.spans)}")
    with cluster.node(1).connect() as connection:
        load.read_everything(connection)
    judged(load.history, cluster)
    assert not load.errors(), load.errors()
