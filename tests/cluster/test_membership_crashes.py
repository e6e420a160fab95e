"""A crash at every step of a change of members (config/base/failpoint.hpp): what the node opens with is the
old or the new membership, the change is done or can be asked for again, and nothing is lost. At the
end the table: step -> crash -> what opened."""
from __future__ import annotations

import pytest

from support.cluster import SECRET, Cluster, Node, wait_serving
from support.resp import RespError
from support.waiting import wait_until

OLD, LEARNER, NEW, REMOVED = "(3, 3)", "(4, 3)", "(4, 4)", "(2, 2)"
# (step, who dies, what is asked for, what the dead one opens with: nodes and voters)
MEMBER_STEPS = [
    ("configuration-arrived", "leader", "add", OLD),
    ("configuration-persisted", "leader", "add", LEARNER),
    ("configuration-committed", "leader", "add", LEARNER),
    ("configuration-arrived:2", "leader", "add", LEARNER),
    ("configuration-persisted:2", "leader", "add", NEW),
    ("configuration-arrived", "follower", "add", OLD),
    ("configuration-persisted", "follower", "add", LEARNER),
    ("configuration-arrived", "leader", "remove", OLD),
    ("configuration-persisted", "leader", "remove", REMOVED),
    ("configuration-committed", "follower", "remove", REMOVED),
    ("configuration-persisted", "removed", "remove", REMOVED),
    ("removal-noticed", "removed", "remove", REMOVED),
]
JOINER_STEPS = ["admission-received", "members-noted", "join-identity", "configuration-arrived",
                "configuration-persisted", "configuration-committed"]
table: list[tuple[str, str, str, str]] = []


@pytest.fixture(scope="module", autouse=True)
def shown():
    yield
    print("\n\nstep -> crash of -> while -> what opened")
    for row in table:
        print("  {:<26} {:<9} {:<7} {}".format(*row))


@pytest.fixture(scope="module")
def founder():
    """A cluster of one, with a number above its joiners': they dial it, so that what they learn first
    is the answer to their visit and not what a link says."""
    with Cluster(1, peers=False, name="founder",
                 options={"raft.cluster-secret": SECRET, "raft.id": 30}) as cluster:
        cluster.start()
        yield cluster


def members(node) -> tuple[int, int]:
    info = node.info("raft")
    return int(info.get("raft_num_nodes", 0)), int(info.get("raft_num_voting_nodes", 0))


def joiner_of(cluster, number=4) -> Node:
    node = Node(number, cluster.root, {"raft.cluster-secret": SECRET,
                                       "raft.join": f"127.0.0.1:{cluster.node(1).port},"
                                                    f"127.0.0.1:{cluster.node(2).port}"})
    cluster.nodes.append(node)
    return node


def arm(node, step, trigger) -> None:
    """It starts as always, and dies at the step once the trigger exists."""
    node.environment["KIWI_FAILPOINT"] = f"{step}@{trigger}"


def wait_crash(node, step) -> None:
    wait_until(lambda: not node.alive(), 20, f"the crash at {step}")
    assert node.process.returncode == 77, node.log_text()[-2000:]
    node.environment.pop("KIWI_FAILPOINT")
    node.ended_by_us = True


def opens_with(cluster, node) -> tuple[int, int]:
    """What it says while nobody can tell it more."""
    others = [n for n in cluster.alive() if n is not node]
    for other in others:
        other.pause()
    try:
        node.start()
        return wait_until(lambda: members(node) if members(node)[0] else None, 10,
                          "the node to say who the members are")
    finally:
        for other in others:
            other.resume()


def asked_until(cluster, done, *words) -> None:
    """As an operator would: again, at another node, until it is so."""
    def ask():
        if done():
            return True
        for node in cluster.alive():
            try:
                reply = node.call(*words, timeout=5)
            except OSError:
                continue
            assert reply == "OK" or isinstance(reply, RespError), reply
            if reply == "OK":
                break
        return done()
    wait_until(ask, 40, f"{words} to be done", interval=0.2)


@pytest.mark.parametrize("step, who, what, opened", MEMBER_STEPS)
def test_a_crash_of_a_member_leaves_the_old_or_the_new_members(make_cluster, step, who, what, opened):
    """[F18] [F25]"""
    cluster = make_cluster(3, start=False)
    trigger = cluster.root / "now"
    for node in cluster.nodes:
        arm(node, step, trigger if who == "leader" else f"{trigger}-{node.id}")
    cluster.start()
    leader, (follower, third) = cluster.wait_leader(), cluster.followers()
    victim = {"leader": leader, "follower": follower, "removed": third}[who]
    for node in cluster.nodes:
        assert node.call("SET", f"k{node.id}", "v") == "OK"
    if who == "leader":
        for node in (follower, third):  # only who leads when it is asked dies
            node.kill()
            node.environment.pop("KIWI_FAILPOINT")
            node.start()
            cluster.wait_ready()
        leader = victim = cluster.wait_leader()
        if "KIWI_FAILPOINT" not in victim.environment:
            pytest.skip("leadership moved by itself")
        trigger.touch()
    else:
        (cluster.root / f"now-{victim.id}").touch()
    third = next(n for n in cluster.nodes if n not in (leader, follower)) if who != "removed" else third
    if what == "add":
        joiner_of(cluster).start()
        wait_crash(victim, step)
        assert str(opens_with(cluster, victim)) == opened
        wait_until(lambda: all(members(n) == (4, 4) for n in cluster.nodes), 40, "four voters")
        stay = cluster.nodes
    else:
        asker = next(n for n in cluster.nodes if n not in (victim, third))
        with asker.connect() as connection:
            connection.send("RAFT.NODE", "REMOVE", third.id)
            wait_crash(victim, step)
        assert str(opens_with(cluster, victim)) == opened
        stay = [n for n in cluster.nodes if n is not third]
        asked_until(cluster, lambda: all(members(n) == (2, 2) for n in stay),
                    "RAFT.NODE", "REMOVE", third.id)
        wait_until(lambda: third.info("raft").get("raft_state") == "removed", 20, "it to know")
    table.append((step, who, what, f"{opened[1]} nodes, {opened[4]} voters"))
    for node in stay:
        wait_serving(node, 20)
        assert node.call("MGET", "k1", "k2", "k3") == [b"v"] * 3


@pytest.mark.parametrize("step", JOINER_STEPS)
def test_a_joiner_that_crashes_on_its_way_in_starts_again_and_is_let_in(founder, step):
    """[F18]"""
    number = 10 + JOINER_STEPS.index(step)
    first = founder.node(1)
    assert first.call("SET", "k", step) == "OK"
    node = Node(number, founder.root, {"raft.cluster-secret": SECRET,
                                       "raft.join": f"127.0.0.1:{first.port}"})
    node.environment["KIWI_FAILPOINT"] = step
    node.start()
    try:
        wait_crash(node, step)
        node.start()
        opened = wait_until(lambda: node.info("raft"), 10, "it to answer")["raft_state"]
        wait_serving(node, 30)
        wait_until(lambda: members(node)[1] == 2, 20, "its vote")
        assert node.call("GET", "k") == step.encode()
        # Had it an identity when it opened, or was it let in again?
        since = node.log_text().rpartition("harness starts")[2]
        assert ("joined cluster" in since) == (step in ("admission-received", "members-noted"))
        table.append((step, "joiner", "join", f"{opened}, then a voter"))
        assert first.call("RAFT.NODE", "REMOVE", number, timeout=30) == "OK"
    finally:
        node.kill()
