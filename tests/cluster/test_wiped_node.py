"""A node whose disk was wiped is somebody else with a known number [F1]."""
from __future__ import annotations

from support.cluster import SECRET, Node, wait_serving
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


def test_a_wiped_node_and_a_lagging_one_cannot_outvote_an_acknowledged_write(make_cluster):
    """[F1] {A,B} commit W while C is down; B is wiped; A stops; B and C together must not lead."""
    cluster = make_cluster(3, options={"raft.response-timeout": 1500})
    write(cluster.node(1), "before:")
    lagging = cluster.followers()[0]
    lagging.kill()
    keeper = cluster.wait_leader()
    wiped = next(n for n in cluster.nodes if n not in (lagging, keeper))
    write(keeper, "w:")
    wiped.kill()
    keeper.kill()
    wiped.wipe()
    wiped.start()
    lagging.start()
    wait_until(lambda: wiped.info("raft") and lagging.info("raft"), 10, "both to answer INFO")
    for node in (lagging, wiped):
        reply = node.call("SET", "w:0", "usurped")
        assert isinstance(reply, RespError), "a wiped voter voted: an acknowledged write is lost"
    assert cluster.leader() is None
    keeper.start()
    for node in cluster.nodes:
        wait_serving(node, 30)
        assert read_all(node, "w:") == expected(), f"node {node.id}"
        assert read_all(node, "before:") == expected(), f"node {node.id}"


def test_a_wiped_node_comes_back_by_itself_and_votes_again(make_cluster):
    cluster = make_cluster(3)
    write(cluster.node(1), "a:")
    wiped = cluster.followers()[0]
    wiped.kill()
    wiped.wipe()
    wiped.start()
    wait_serving(wiped, 30)
    assert read_all(wiped, "a:") == expected()
    wait_until(lambda: all(n.info("raft").get("raft_num_voting_nodes") == "3"
                           and n.info("raft").get("raft_num_nodes") == "3" for n in cluster.nodes),
               30, "three voters again")
    # It counts: with another node down, it and the third are the majority.
    other = next(n for n in cluster.followers() if n is not wiped)
    other.kill()
    write(wiped, "b:")
    assert read_all(wiped, "b:") == expected()


def test_a_node_wiped_while_another_is_down_says_how_it_comes_back(make_cluster):
    cluster = make_cluster(3, options={"raft.response-timeout": 1500})
    write(cluster.node(1), "w:")
    down, wiped = cluster.followers()
    down.kill()
    wiped.kill()
    wiped.wipe()
    wiped.start()
    # The wiped node says it, or its leader, if that one still leads and sees it first.
    wait_until(lambda: any("directory was wiped" in node.log_text()
                           or "came back with an empty data directory" in node.log_text()
                           for node in cluster.alive()),
               15, "a message on how the wiped node comes back")
    down.start()
    for node in cluster.nodes:
        wait_serving(node, 30)
        assert read_all(node, "w:") == expected(), f"node {node.id}"


def test_a_wiped_node_finds_a_leader_that_its_list_does_not_name(make_cluster):
    """The cluster has changed since raft.peers was written: who leads now came later, to an address
    of its own. The members that the list does name know the way."""
    cluster = make_cluster(3)
    write(cluster.node(1), "a:")
    newcomer = Node(4, cluster.root, {"raft.cluster-secret": SECRET,
                                      "raft.join": f"127.0.0.1:{cluster.node(3).port}"})
    cluster.nodes.append(newcomer)
    newcomer.start()
    wait_serving(newcomer, 20)
    gone, wiped, other = cluster.nodes[:3]
    assert other.call("RAFT.NODE", "REMOVE", gone.id, timeout=30) == "OK"
    gone.kill()
    wait_until(lambda: other.call("RAFT.TRANSFER_LEADER", 4, timeout=10) and
               cluster.leader() is newcomer, 20, "the newcomer to lead", interval=0.3)
    wiped.kill()
    wiped.wipe()
    wiped.start()
    wait_serving(wiped, 30)
    assert read_all(wiped, "a:") == expected()
    wait_until(lambda: all(n.info("raft").get("raft_num_voting_nodes") == "3"
                           for n in (wiped, other, newcomer)), 20, "three voters again")
