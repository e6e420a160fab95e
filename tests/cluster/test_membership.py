"""Nodes come and go while clients write (F18, F25)."""
from __future__ import annotations

import threading
import time

import pytest

from support import faultydisk
from support.cluster import SECRET, Cluster, Node, wait_serving
from support.resp import RespError, try_connect
from support.waiting import wait_until


REMOVED = "CLUSTERDOWN This node was removed from its cluster"


def member_ids(node):
    ids = {int(value.split("id=")[1].split(",")[0]) for name, value in node.info("raft").items()
           if name.startswith("raft_node") and name[9:].isdigit()}
    return ids | {node.id}


def voters(node):
    return int(node.info("raft").get("raft_num_voting_nodes", 0))


def new_node(cluster, node_id, **options):
    """A node that is not in anybody's list."""
    node = Node(node_id, cluster.root, {"raft.cluster-secret": SECRET, **options})
    cluster.nodes.append(node)
    return node


def wait_voters(nodes, count, patience=20):
    wait_until(lambda: all(voters(n) == count for n in nodes), patience, f"{count} voters",
               interval=0.05)


class Writers:
    """Clients that write counters through any node that is there, and remember what was said."""

    def __init__(self, nodes, count=4, timeouts=False):
        self.timeouts = timeouts  # of clients of a node that is removed: their last write's fate
        self.nodes, self.errors, self.acked = nodes, [], [0] * count
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True)
                        for i in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        connection, turn = None, number
        while not self.stopping.is_set():
            if connection is None:
                turn += 1
                node = self.nodes[turn % len(self.nodes)]
                connection = try_connect(node.host, node.port)
                if connection is None:
                    time.sleep(0.02)
                    continue
            try:
                reply = connection.call("SET", f"w:{number}", self.acked[number] + 1)
            except OSError:
                connection.close()
                connection = None
                continue
            if reply == "OK":
                self.acked[number] += 1
            elif str(reply).startswith(("LOADING", "NOCLUSTER", "CLUSTERDOWN", "MOVED")):
                connection.close()  # this node does not serve (any more): another one does
                connection = None
            elif not (self.timeouts and str(reply).startswith("TIMEOUT")):
                self.errors.append(str(reply))
            time.sleep(0.002)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(20)

    def check(self, node):
        assert not self.errors, self.errors[:5]
        assert min(self.acked) > 0
        for number, last in enumerate(self.acked):
            value = int(node.call("GET", f"w:{number}"))
            assert value in (last, last + 1), f"client {number}: {value}, acknowledged {last}"


def test_a_node_joins_by_its_configuration_and_becomes_a_voter(make_cluster):
    cluster = make_cluster(1, peers=False, options={"raft.cluster-secret": SECRET})
    first = cluster.node(1)
    assert first.call("SET", "a", "1") == "OK"
    joiner = new_node(cluster, 2, **{"raft.join": f"127.0.0.1:{first.port}"})
    joiner.start()
    wait_serving(joiner, 20)
    assert joiner.call("GET", "a") == b"1"
    wait_voters([first, joiner], 2)
    joiner.kill()
    joiner.start()
    wait_serving(joiner, 20)
    assert member_ids(joiner) == {1, 2}


def test_a_wiped_node_that_joined_comes_back_by_its_configuration(make_cluster):
    cluster = make_cluster(3)
    joiner = new_node(cluster, 4, **{"raft.join": f"127.0.0.1:{cluster.node(2).port}"})
    joiner.start()
    wait_serving(joiner, 20)
    wait_voters(cluster.nodes, 4)
    joiner.kill()
    joiner.wipe()
    joiner.start()
    wait_serving(joiner, 30)
    wait_voters(cluster.nodes, 4)


def test_join_by_hand_and_its_refusals(make_cluster):
    cluster = make_cluster(1, peers=False, options={"raft.cluster-secret": SECRET})
    first = cluster.node(1)
    joiner = new_node(cluster, 2, **{"raft.bootstrap": "manual"})
    joiner.start()
    wait_until(lambda: joiner.info("raft"), 10, "the new node to answer")
    assert str(joiner.call("RAFT.CLUSTER", "JOIN", "nonsense")) == "ERR invalid node address"
    dead = str(joiner.call("RAFT.CLUSTER", "JOIN", "127.0.0.1:1"))
    assert dead == "ERR failed to connect to cluster for join, please check logs"
    assert joiner.call("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{first.port}", timeout=30) == "OK"
    wait_serving(joiner, 20)
    wait_voters([first, joiner], 2)
    assert str(joiner.call("RAFT.CLUSTER", "JOIN", f"127.0.0.1:{first.port}")) == \
        "ERR Already cluster member"


def test_nodes_are_added_and_removed_from_any_node(make_cluster):
    cluster = make_cluster(3)
    follower = cluster.followers()[0]
    extra = new_node(cluster, 4, **{"raft.bootstrap": "manual"})
    extra.start()
    wait_until(lambda: extra.info("raft"), 10, "the new node to answer")
    reply = follower.call("RAFT.NODE", "ADD", 4, f"127.0.0.1:{extra.port}", timeout=30)
    assert reply[0] == 4 and reply[1] == follower.info("raft")["raft_dbid"], reply
    wait_serving(extra, 20)
    wait_voters(cluster.nodes, 4)
    assert str(follower.call("RAFT.NODE", "ADD", 4, f"127.0.0.1:{extra.port}")) == \
        "ERR node id has already been used in this cluster"
    assert str(follower.call("RAFT.NODE", "REMOVE", 99)) == "ERR node id does not exist"
    assert follower.call("RAFT.NODE", "REMOVE", 4, timeout=30) == "OK"
    wait_voters([n for n in cluster.nodes if n is not extra], 3)
    wait_until(lambda: extra.info("raft").get("raft_state") == "removed", 10,
               "the removed node to say so")
    assert str(extra.call("GET", "a")) == REMOVED
    # Also after a start, and although the others do not look for it any more.
    extra.kill()
    extra.start()
    wait_until(lambda: extra.info("raft").get("raft_state") == "removed", 15,
               "the removed node to say so again")


def test_clients_of_a_node_that_is_removed_are_answered_at_once(make_cluster):
    """[F25] What was in flight: TIMEOUT, since it may have happened. What comes later: it did not."""
    cluster = make_cluster(3, faces=True)
    going, keeper = cluster.followers()
    slowest, said = [], []
    stopping = threading.Event()

    def write(number):
        with going.connect() as connection:
            count = 0
            while not stopping.is_set():
                begin = time.monotonic()
                count += 1
                reply = str(connection.call("SET", f"r:{number}", count))
                slowest.append(time.monotonic() - begin)
                if reply != "OK":
                    said.append(reply)
                    if reply == REMOVED:
                        return
    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert keeper.call("RAFT.NODE", "REMOVE", going.id, timeout=30) == "OK"
    for thread in threads:
        thread.join(20)
    stopping.set()
    assert said.count(REMOVED) == 8, said
    assert {s.split()[0] for s in said} <= {"CLUSTERDOWN", "TIMEOUT"}, said
    assert max(slowest) < 5, "an answer waited for the response timeout of 10 s"
    assert going.info("raft")["raft_state"] == "removed"
    assert str(going.cluster.call("CLUSTER", "SLOTS")) == REMOVED  # cluster-aware clients look elsewhere


def test_a_write_in_flight_at_a_node_that_was_cut_off_and_removed_is_answered(make_cluster):
    """[F25] It learns of its removal from whoever it meets first, and tells its client then."""
    cluster = make_cluster(3, proxies=True)
    going, keeper = cluster.followers()
    cluster.proxies.isolate(going.id)
    with going.connect() as connection:
        connection.send("SET", "a", "1")
        assert keeper.call("RAFT.NODE", "REMOVE", going.id, timeout=30) == "OK"
        begin = time.monotonic()
        cluster.proxies.heal()
        reply = str(connection.read())
        assert time.monotonic() - begin < 6
        assert reply.startswith(("TIMEOUT", "CLUSTERDOWN")), reply
    wait_until(lambda: str(going.call("GET", "a")) == REMOVED, 10, "the removed node to say so")


def test_a_node_that_was_away_when_it_was_removed_learns_it(make_cluster):
    """[F25]"""
    cluster = make_cluster(3)
    away = cluster.node(3)  # nobody has a reason to dial it any more
    away.kill()
    keeper = cluster.wait_leader(among=cluster.nodes[:2])
    assert keeper.call("RAFT.NODE", "REMOVE", 3, timeout=30) == "OK"
    away.start()
    wait_until(lambda: away.info("raft").get("raft_state") == "removed", 20,
               "the removed node to say so")
    assert str(away.call("SET", "a", "1")) == REMOVED
    assert keeper.call("SET", "a", "1") == "OK"


def test_members_are_replaced_at_once_through_a_joint_configuration(make_cluster):
    cluster = make_cluster(3)
    assert cluster.node(1).call("SET", "a", "1") == "OK"
    fresh = [new_node(cluster, i, **{"raft.bootstrap": "manual"}).start() for i in (4, 5)]
    wait_until(lambda: all(n.info("raft") for n in fresh), 10, "the new nodes to answer")
    wanted = ["1"] + [f"{n.id}@127.0.0.1:{n.port}" for n in fresh]
    assert cluster.node(1).call("RAFT.RECONFIGURE", *wanted, timeout=60) == "OK"
    stayed = [cluster.node(1), *fresh]
    wait_voters(stayed, 3)
    assert member_ids(cluster.node(1)) == {1, 4, 5}
    for node in stayed:
        wait_serving(node, 20)
        assert node.call("GET", "a") == b"1"


def test_the_last_voter_stays_and_a_leader_hands_over_before_it_goes(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    assert leader.call("RAFT.NODE", "REMOVE", leader.id, timeout=30) == "OK"
    rest = [n for n in cluster.nodes if n is not leader]
    wait_voters(rest, 2)
    second = cluster.wait_leader(among=rest)
    other = next(n for n in rest if n is not second)
    assert second.call("RAFT.NODE", "REMOVE", other.id, timeout=30) == "OK"
    wait_voters([second], 1)
    assert str(second.call("RAFT.NODE", "REMOVE", second.id)).startswith("ERR")
    assert second.call("SET", "still", "here") == "OK"


def test_one_three_five_three_one_under_clients(make_cluster):
    cluster = make_cluster(1, peers=False, options={"raft.cluster-secret": SECRET})
    first = cluster.node(1)
    writers = Writers(cluster.nodes, timeouts=True)
    try:
        for node_id in (2, 3, 4, 5):
            node = new_node(cluster, node_id, **{"raft.join": f"127.0.0.1:{first.port}"})
            node.start()
            wait_serving(node, 30)
            wait_voters([first], node_id, 30)
        for node_id in (5, 4, 1, 2):
            remover = cluster.node(3)
            assert remover.call("RAFT.NODE", "REMOVE", node_id, timeout=30) == "OK"
            wait_until(lambda: node_id not in member_ids(cluster.node(3)), 20,
                       f"node {node_id} to be gone")
    finally:
        writers.stop()
    writers.check(cluster.node(3))
    assert member_ids(cluster.node(3)) == {3}


def test_leadership_goes_where_it_is_asked_to(make_cluster):
    cluster = make_cluster(3)
    target = cluster.followers()[0]
    asked = cluster.followers()[1]
    assert asked.call("RAFT.TRANSFER_LEADER", target.id, timeout=20) == "OK"
    assert cluster.wait_leader() is target
    assert str(asked.call("RAFT.TRANSFER_LEADER", 77)).startswith("ERR invalid")


def test_a_rolling_restart_shows_clients_no_error(make_cluster):
    cluster = make_cluster(3)
    writers = Writers(cluster.nodes)
    try:
        for node in cluster.nodes:
            assert node.terminate() == 0
            node.start()
            wait_serving(node, 20)
            time.sleep(0.3)
    finally:
        writers.stop()
    writers.check(cluster.node(1))
    assert sum(writers.acked) > 100


def test_an_order_that_may_yet_take_effect_is_answered_timeout(make_cluster):
    """TIMEOUT: the entry is in the log of a leader that lost its majority; nobody knows."""
    cluster = make_cluster(3, options={"raft.response-timeout": 2000})
    leader = cluster.wait_leader()
    others = [node for node in cluster.nodes if node is not leader]
    removed = others[1]
    for node in others:
        node.pause()
    answers = []
    with leader.connect() as connection:
        answers.append(str(connection.call("RAFT.NODE", "REMOVE", removed.id)))
        answers.append(str(connection.call("RAFT.TRANSFER_LEADER", others[0].id)))
    for node in others:
        node.resume()
    assert answers[0].startswith("TIMEOUT "), answers
    assert answers[1].startswith(("TIMEOUT ", "CLUSTERDOWN ")), answers
    wait_until(lambda: removed.id not in member_ids(leader), 20,
               "the removal, which was never lost")


def test_whom_a_joiner_is_to_link_to_is_written_until_it_is_on_disk(make_cluster):
    """[HAZARDS: rename without fsync]: an error there is told and tried again."""
    if faultydisk.why_not():
        pytest.skip(faultydisk.why_not())
    cluster = make_cluster(1, peers=False, options={"raft.cluster-secret": SECRET})
    joiner = new_node(cluster, 2, **{"raft.join": f"127.0.0.1:{cluster.node(1).port}"})
    disk = faultydisk.FaultyDisk(joiner)
    disk.fail("sync", "members.new", "EIO")
    joiner.start()
    wait_until(disk.seen, 15, "the fault")
    wait_until(lambda: "is not on disk yet" in joiner.log_text(), 5, "the joiner to say so")
    assert not (joiner.dir / "members").exists()
    disk.mend()
    wait_until((joiner.dir / "members").exists, 10, "the file")
    wait_serving(joiner, 20)
    wait_voters([cluster.node(1), joiner], 2)
