"""Upgrades, one node after the other and under load, and back: raft.test-max-version makes a node act
as an older build."""
from __future__ import annotations

import time

from support.chaosrun import judged
from support.cluster import wait_serving
from support.resp import RespError
from support.roaming import RoamingLoad, Roster, table
from support.waiting import wait_until

SETTLE = 0.5  # seconds of quiet between two steps
OLD = {"raft.test-max-version": "1", "raft.auto-upgrade": "no"}


def version(node) -> str | None:
    return node.info("raft").get("raft_cluster_version")


def wait_version(cluster, wanted: str) -> None:
    wait_until(lambda: all(version(n) == wanted for n in cluster.alive()), 10,
               f"cluster version {wanted} on every node")


def setting(node, name: str) -> str:
    return node.call("CONFIG", "GET", name)[1].decode()


def wait_setting(cluster, name: str, wanted: str) -> None:
    wait_until(lambda: all(setting(n, name) == wanted for n in cluster.alive()), 10,
               f"{name} {wanted} on every node")


def ends_with(node, sentence: str) -> None:
    """It ends by itself, as a build that must not touch this state: exit status 70."""
    node.process.wait(timeout=20)
    node.ended_by_us = True
    assert node.process.returncode == 70, node.log_text()[-2000:]
    assert sentence in node.log_text().split("---- harness starts")[-1]


def judge(load, cluster) -> None:
    load.stop()
    print(f"\n{table(load.spans)}")
    with cluster.node(1).connect() as connection:
        load.read_everything(connection)
    judged(load.history, cluster)
    assert not load.errors(), load.errors()


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
    cluster = make_cluster(3, options=OLD)
    roster = Roster(cluster.nodes)
    load = RoamingLoad(roster, seed).start("3 old nodes")
    time.sleep(SETTLE)
    roll(cluster, load, roster, 2)
    roll(cluster, load, roster, 1)
    assert {version(n) for n in cluster.nodes} == {"1"}
    judge(load, cluster)


def test_raised_under_load_the_cluster_takes_no_older_build_back(make_cluster, seed):
    """N to N+1 by hand, refused while one member is old; then an old build ends or is refused."""
    cluster = make_cluster(3, options=OLD)
    roster = Roster(cluster.nodes)
    load = RoamingLoad(roster, seed).start("3 old nodes")
    refused = cluster.node(1).call("RAFT.UPGRADE")
    assert str(refused) == ("ERR the cluster is at version 1, the highest that this build supports")
    last = cluster.node(3)
    for node in cluster.nodes[:2]:
        restart(cluster, roster, load, node, "2")
    refused = cluster.node(1).call("RAFT.UPGRADE")
    assert isinstance(refused, RespError)
    assert refused.text.startswith("ERR node 3 supports cluster versions up to 1 only"), refused
    restart(cluster, roster, load, last, "2")
    load.mark("raised")
    follower = cluster.followers()[0]
    wait_until(lambda: follower.call("RAFT.UPGRADE") == "OK", 10, "RAFT.UPGRADE on a follower")
    wait_version(cluster, "2")
    time.sleep(SETTLE)
    roster.set(cluster.nodes[:2])
    load.spread()
    time.sleep(SETTLE)
    load.mark("an old build knocks")
    assert last.terminate() == 0
    last.options["raft.test-max-version"] = "1"
    last.start()
    ends_with(last, "this cluster is at version 2, and this build supports versions up to 1")
    last.wipe()
    last.start()  # with nothing of its own it does not end, but nobody lets it in
    wait_until(lambda: "start a newer build" in last.log_text().split("---- harness starts")[-1],
               15, "the sentence of a refused link")
    assert last.call("GET", "a").code in ("NOCLUSTER", "LOADING", "CLUSTERDOWN")
    last.kill()
    load.mark("back as a new build")
    last.options["raft.test-max-version"] = "2"
    last.start()
    wait_serving(last, 30)
    wait_version(cluster, "2")
    judge(load, cluster)


def restart(cluster, roster, load, node, highest: str) -> None:
    load.mark(f"node {node.id} supports {highest}")
    roster.set([n for n in cluster.nodes if n is not node])
    load.spread()
    time.sleep(SETTLE)
    assert node.terminate() == 0
    node.options["raft.test-max-version"] = highest
    node.start()
    wait_serving(node, 20)
    cluster.wait_ready()
    roster.set(cluster.nodes)
    load.spread()


def test_the_version_rises_by_itself_when_all_members_have_supported_it_long_enough(make_cluster):
    cluster = make_cluster(3, options={"raft.test-max-version": "1", "raft.upgrade-after": "1500"})
    for node in cluster.nodes:
        time.sleep(2)  # longer than it takes once all are new
        assert {version(n) for n in cluster.nodes} == {"1"}
        assert node.terminate() == 0
        node.options["raft.test-max-version"] = "2"
        node.start()
        wait_serving(node, 20)
        cluster.wait_ready()
    wait_version(cluster, "2")
    assert cluster.node(1).call("SET", "a", "1") == "OK"  # in the formats of version 2
    node = cluster.node(2)
    assert node.terminate() == 0
    node.start()
    wait_serving(node, 20)
    assert version(node) == "2"


def test_a_setting_of_the_cluster_is_one_for_all_nodes_and_outlives_them(make_cluster):
    cluster = make_cluster(3)
    wait_setting(cluster, "raft.auto-upgrade", "yes")
    assert cluster.followers()[0].call("CONFIG", "SET", "raft.auto-upgrade", "no") == "OK"
    wait_setting(cluster, "raft.auto-upgrade", "no")
    refused = cluster.node(1).call("CONFIG", "SET", "raft.auto-upgrade", "yes", "timeout", "5")
    assert isinstance(refused, RespError) and refused.code == "ERR"
    assert setting(cluster.node(1), "timeout") == "0"
    for node in cluster.nodes:
        assert node.terminate() == 0
    for node in cluster.nodes:
        node.start()
    cluster.wait_ready()
    wait_setting(cluster, "raft.auto-upgrade", "no")
    assert cluster.node(1).call("CONFIG", "SET", "raft.auto-upgrade", "yes") == "OK"
    node = cluster.node(3)
    assert node.terminate() == 0
    node.options["raft.auto-upgrade"] = "no"  # what a file says counts at the founding only
    node.start()
    wait_serving(node, 20)
    wait_setting(cluster, "raft.auto-upgrade", "yes")
    assert "raft.auto-upgrade no of this node's options is ignored" in node.log_text()


def test_the_first_leader_seeds_a_new_cluster(make_cluster):
    cluster = make_cluster(3, options={"raft.auto-upgrade": "no"})
    node = cluster.node(2)
    assert node.terminate() == 0
    del node.options["raft.auto-upgrade"]
    node.start()
    wait_serving(node, 20)
    wait_setting(cluster, "raft.auto-upgrade", "no")
