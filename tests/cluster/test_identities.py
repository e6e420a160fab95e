"""Who is who: ids that two processes claim, copies of directories, clusters founded twice, members
that moved, options that differ [F49, F52, F54]."""
from __future__ import annotations

import shutil
import time

import pytest

from support.cluster import SECRET, Node, wait_serving
from support.ports import PEER_OFFSET, free_port
from support.resp import RespError
from support.waiting import wait_until


def write(node, prefix, count=50):
    with node.connect() as connection:
        replies = connection.pipeline([("SET", f"{prefix}{i}", i) for i in range(count)])
        assert replies == ["OK"] * count


def read_all(node, prefix, count=50):
    with node.connect() as connection:
        return connection.pipeline([("GET", f"{prefix}{i}") for i in range(count)])


def expected(count=50):
    return [str(i).encode() for i in range(count)]


def voters(node):
    return node.info("raft").get("raft_num_voting_nodes")


def wait_log(node, text, patience=15):
    wait_until(lambda: text in node.log_text(), patience, f"node {node.id} to log {text!r}")


@pytest.mark.parametrize("claimed", [1, 2, 3])
def test_a_second_process_with_the_id_of_a_living_member_takes_nothing(make_cluster, claimed):
    """[F49] An operator copies a node's configuration to a new machine and leaves raft.id as it is."""
    cluster = make_cluster(3)
    write(cluster.node(1), "a:")
    alive = cluster.node(claimed)
    # The copied list names the living node's address, so the newcomer's own ports are other ones.
    newcomer = Node(claimed, cluster.root / "second", dict(alive.options))
    newcomer.start()
    wait_log(newcomer, f"node {claimed} lives", 20)
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        for node in cluster.nodes:
            assert voters(node) in ("3", None)
        write(alive, "b:")
        time.sleep(0.2)
    wait_until(lambda: any(f"is node {claimed}" in n.log_text() or "says the same id" in n.log_text()
                           for n in cluster.nodes), 10, "anybody to say who came")
    assert alive.info("raft")["raft_state"] == "up"
    assert isinstance(newcomer.call("SET", "a:0", "usurped"), RespError)
    for node in cluster.nodes:
        assert read_all(node, "a:") == expected()
    # The other one is stopped: now the newcomer may replace it, as a wiped node does (F1).
    newcomer.kill()


def test_a_member_that_restarts_is_not_replaced_by_a_double_meanwhile(make_cluster):
    """[F49] As above, and the living node is restarted."""
    cluster = make_cluster(3)
    write(cluster.node(1), "a:")
    alive = cluster.node(2)
    double = Node(2, cluster.root / "second", dict(alive.options))
    double.start()
    wait_log(double, "node 2 lives", 20)
    alive.terminate()
    time.sleep(4)  # longer than anybody waits for it
    alive.start()
    wait_serving(alive, 20)
    write(alive, "b:")
    assert isinstance(double.call("SET", "a:0", "usurped"), RespError)
    assert read_all(alive, "a:") == expected()
    assert all(voters(n) == "3" for n in cluster.nodes)
    double.kill()


def links_of(node):
    """How often each of the node's links came up."""
    return [v.partition("conn_oks=")[2].partition(",")[0]
            for k, v in sorted(node.info("raft").items()) if "conn_oks=" in v]


def test_an_earlier_life_of_a_replaced_member_takes_nothing(make_cluster):
    """[F1, F49] Node 2's disk is taken for lost, the node comes back empty and is replaced; then the
    old disk is started again somewhere else."""
    cluster = make_cluster(3)
    write(cluster.node(1), "a:")
    member = cluster.node(2)
    member.terminate()
    earlier = Node(2, cluster.root / "second", dict(member.options))
    earlier.dir.parent.mkdir()
    member.dir.rename(earlier.dir)
    member.start()
    wait_serving(member, 30)
    wait_until(lambda: all(voters(n) == "3" for n in cluster.nodes), 20, "three voters again")
    before = [links_of(n) for n in cluster.nodes]
    assert all(before)
    earlier.start()
    wait_log(earlier, "is of an earlier life of node 2", 30)
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        write(member, "b:")
        time.sleep(0.2)
    assert [links_of(n) for n in cluster.nodes] == before
    assert isinstance(earlier.call("SET", "a:0", "usurped"), RespError)
    assert read_all(member, "a:") == expected()
    earlier.kill()


def test_a_directory_put_back_from_a_copy_takes_no_part(make_cluster):
    """[F52] Writes of after the copy are not in it, nor are votes."""
    cluster = make_cluster(3)
    write(cluster.node(1), "before:")
    back = cluster.followers()[0]
    back.terminate()
    copy = back.dir.with_suffix(".copy")
    shutil.copytree(back.dir, copy)
    back.start()
    wait_serving(back, 20)
    write(back, "after:")
    back.terminate()
    shutil.rmtree(back.dir)
    shutil.copytree(copy, back.dir)
    back.start()
    wait_until(lambda: not back.alive(), 15, "the node on the old copy to stop")
    assert "is an old copy of itself" in back.log_text()
    wait_until(lambda: any("runs on an old copy" in n.log_text() for n in cluster.nodes if n is not back), 10,
               "another node to say so")
    for _ in range(5):  # a supervisor starts it again and again
        back.start()
        wait_until(lambda: not back.alive(), 15, "it to refuse")
    others = [n for n in cluster.nodes if n is not back]
    for node in others:
        assert read_all(node, "after:") == expected()
    back.wipe()
    back.start()
    wait_serving(back, 30)
    for node in cluster.nodes:
        assert read_all(node, "before:") == expected()
        assert read_all(node, "after:") == expected()
    wait_until(lambda: all(voters(n) == "3" for n in cluster.nodes), 20, "three voters again")


def test_an_old_copy_does_not_vote_for_one_that_lags(make_cluster):
    """[F52] {A,B} commit W while C is down; B's directory is put back; A stops. B and C must not lead,
    whoever of them was started since."""
    cluster = make_cluster(3, options={"raft.response-timeout": 1500})
    write(cluster.node(1), "before:")
    lagging, back = cluster.followers()
    back.terminate()
    copy = back.dir.with_suffix(".copy")
    shutil.copytree(back.dir, copy)
    back.start()
    wait_serving(back, 20)
    time.sleep(1)  # C hears of B's start, and keeps it on disk
    lagging.kill()
    keeper = next(n for n in cluster.nodes if n not in (lagging, back))
    wait_serving(keeper, 20)
    write(keeper, "w:")
    back.kill()
    keeper.kill()
    shutil.rmtree(back.dir)
    shutil.copytree(copy, back.dir)
    lagging.start()
    back.start()
    wait_until(lambda: not back.alive(), 15, "the old copy to stop")
    reply = lagging.call("SET", "w:0", "usurped")
    assert isinstance(reply, RespError), "an old copy voted: an acknowledged write is lost"
    keeper.start()
    wait_serving(keeper, 30)
    wait_serving(lagging, 30)
    assert read_all(lagging, "w:") == expected()


def test_an_old_copy_is_known_by_those_who_heard_of_its_later_life_from_others(make_cluster):
    """[F52] C is down while B starts again; A tells C of it and goes; then B's directory is put back."""
    cluster = make_cluster(3, options={"raft.response-timeout": 1500})
    write(cluster.node(1), "before:")
    lagging, back = cluster.followers()
    back.terminate()
    copy = back.dir.with_suffix(".copy")
    shutil.copytree(back.dir, copy)
    lagging.kill()
    back.start()
    keeper = next(n for n in cluster.nodes if n not in (lagging, back))
    wait_serving(keeper, 20)
    write(keeper, "w:")
    back.kill()
    lagging.start()
    wait_serving(lagging, 20)
    time.sleep(1)
    keeper.kill()
    shutil.rmtree(back.dir)
    shutil.copytree(copy, back.dir)
    back.start()
    wait_until(lambda: not back.alive(), 15, "the old copy to stop")
    assert isinstance(lagging.call("SET", "w:0", "usurped"), RespError)
    keeper.start()
    wait_serving(keeper, 30)
    assert read_all(lagging, "w:") == expected()


def test_a_cluster_of_one_that_grew_is_not_founded_twice(make_cluster):
    """[F54] Node 1 was started alone, 2 and 3 were added; its directory is lost, its command line is
    as it was."""
    cluster = make_cluster(1, peers=False, options={"raft.cluster-secret": SECRET})
    first = cluster.nodes[0]
    for node_id in (2, 3):
        extra = Node(node_id, cluster.root, {"raft.cluster-secret": SECRET,
                                             "raft.join": f"127.0.0.1:{first.port}"})
        cluster.nodes.append(extra)
        extra.start()
        wait_serving(extra, 20)
    wait_until(lambda: all(voters(n) == "3" for n in cluster.nodes), 20, "three voters")
    wait_log(first, "neither raft.peers nor raft.join")
    write(first, "a:")
    first.kill()
    first.wipe()
    wait_until(lambda: cluster.leader() is not None, 10, "another leader")
    first.start()
    wait_log(first, "founded cluster")
    wait_log(first, "It serves nothing any more", 15)
    # What was under way at that moment ends in TIMEOUT.
    wait_until(lambda: str(first.call("SET", "a:0", "usurped")).startswith("CLUSTERDOWN"), 10,
               "the second cluster to refuse writes")
    for node in cluster.nodes[1:]:
        assert read_all(node, "a:") == expected()
    # As the message says.
    first.kill()
    first.wipe()
    first.options["raft.join"] = f"127.0.0.1:{cluster.nodes[1].port}"
    first.start()
    wait_serving(first, 30)
    assert read_all(first, "a:") == expected()


def test_a_member_moves_to_another_address(make_cluster):
    cluster = make_cluster(3)
    write(cluster.node(1), "a:")
    moving = next(n for n in cluster.followers() if n.id != 1)
    moving.terminate()
    moving.port = free_port()
    moving.peer_port = moving.port + PEER_OFFSET
    here = f"{moving.id}@127.0.0.1:{moving.port}"
    moving.options["raft.peers"] = ",".join(
        here if entry.startswith(f"{moving.id}@") else entry
        for entry in moving.options["raft.peers"].split(","))
    moving.start()
    wait_serving(moving, 20)  # it dials the others, which have its old address
    asked = next(n for n in cluster.nodes if n is not moving)
    reply = asked.call("RAFT.NODE", "ADD", moving.id, f"127.0.0.1:{moving.port}", timeout=20)
    assert not isinstance(reply, RespError), reply
    for node in cluster.nodes:
        if node is not moving:
            wait_until(lambda: any(f"id={moving.id}," in str(v) and f"port={moving.port}" in str(v)
                                   for v in node.info("raft").values()), 10, "the new address")
    assert all(voters(n) == "3" for n in cluster.nodes)
    write(moving, "b:")


def test_members_with_different_election_timeouts_are_named(make_cluster):
    cluster = make_cluster(3, start=False)
    cluster.node(2).options["raft.election-timeout"] = "900"
    cluster.start()
    wait_log(cluster.node(1), "node 2 has raft.election-timeout 900")
    wait_log(cluster.node(2), "raft.election-timeout")
    wait_until(lambda: any("id=2," in str(v) and "election_timeout=900" in str(v)
                           for v in cluster.node(1).info("raft").values()), 10, "INFO to say it")
