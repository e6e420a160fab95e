"""Cut logs, and nodes that are brought up by snapshots (F13-F15, F17, F22, F32)."""
from __future__ import annotations

import time

import pytest

from support.cluster import wait_serving
from support.waiting import wait_until

# The log is cut all the time and nothing stays for laggards, little in memory either: who is away
# gets a snapshot.
EAGER = {"raft.snapshot-entries": 60, "raft.log-keep-entries": 10, "raft.log-laggard-max-bytes": 0,
         "raft.log-max-cache-size": "64kb"}


def write(node, prefix, count, size=1000):
    """Each in an entry of its own."""
    with node.connect() as connection:
        for i in range(count):
            assert connection.call("SET", f"{prefix}{i}", str(i).ljust(size, ".")) == "OK"


def fill(node, prefix, count, size):
    with node.connect() as connection:
        for begin in range(0, count, 100):
            replies = connection.pipeline([("SET", f"{prefix}{i}", str(i).ljust(size, "."))
                                           for i in range(begin, min(count, begin + 100))])
            assert set(replies) == {"OK"}


def number(node, field):
    return int(node.info("raft").get(field, -1))


def wait_cut_above(node, index, patience=20):
    """The node's log, also what of it is in memory, begins above `index`. Writes a little, since an
    idle log is not cut."""
    def cut():
        write(node, "more:", 30)
        info = node.info("raft")
        kept = max(int(info["raft_log_entries"]), int(info["raft_cache_entries"]))
        return int(info["raft_current_index"]) - kept > index + 1
    wait_until(cut, patience, "the log to be cut", interval=0.2)


def wait_same(cluster, patience=30):
    cluster.wait_applied_equal(patience)
    checksums = {n.info("raft")["raft_state_checksum"] for n in cluster.alive()}
    assert len(checksums) == 1, "the nodes' states differ"


def wait_received(node, patience=30):
    wait_until(lambda: number(node, "raft_snapshots_received") == 1, patience,
               "the snapshot to be installed", interval=0.05)


def follower_left_behind(cluster, count=150):
    """A follower that was stopped, and of which the leader's log knows nothing any more."""
    follower = cluster.followers()[0]
    applied = number(follower, "raft_last_applied_index")
    follower.kill()
    leader = cluster.wait_leader()
    write(leader, "while-away:", count)
    wait_cut_above(leader, applied)
    return follower


def test_a_follower_behind_the_cut_is_brought_up_by_a_snapshot(make_cluster):
    cluster = make_cluster(3, options=EAGER)
    write(cluster.node(1), "a:", 40)
    follower = follower_left_behind(cluster)
    follower.start()
    wait_received(follower)
    wait_serving(follower, 30)
    wait_same(cluster)
    assert follower.call("GET", "while-away:7") == b"7".ljust(1000, b".")
    wait_until(lambda: any(number(n, "raft_snapshots_sent") >= 1 for n in cluster.nodes), 10,
               "the sender to know")
    write(follower, "after:", 20)
    wait_same(cluster)


def test_a_wiped_follower_comes_back_by_a_snapshot_and_votes_again(make_cluster):
    cluster = make_cluster(3, options=EAGER)
    follower = follower_left_behind(cluster)
    follower.wipe()
    follower.start()
    wait_received(follower)
    wait_serving(follower, 30)
    wait_same(cluster)
    assert follower.info("raft")["raft_snapshot_last_received_mode"] == "files"
    wait_until(lambda: all(n.info("raft").get("raft_num_voting_nodes") == "3"
                           for n in cluster.nodes), 30, "three voters again")
    other = next(n for n in cluster.followers() if n is not follower)
    other.kill()
    write(follower, "b:", 10)


def test_who_lacks_a_twentieth_gets_less_than_a_seventh_of_the_bytes(make_cluster):
    """[F17] 5 % changed: under 15 % of the whole travel."""
    cluster = make_cluster(3, options=EAGER)
    keys, size = 6000, 500
    fill(cluster.wait_leader(), "k:", keys, size)
    write(cluster.wait_leader(), "small:", 100)
    wait_same(cluster)
    follower = cluster.followers()[0]
    applied = number(follower, "raft_last_applied_index")
    follower.kill()
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        for i in range(0, keys, 20):
            connection.call("SET", f"k:{i}", "changed".ljust(size, "!"))
        connection.call("DEL", "k:1", "k:2", "small:5")
    wait_cut_above(leader, applied)
    follower.start()
    wait_received(follower)
    wait_serving(follower, 30)
    wait_same(cluster)
    info = follower.info("raft")
    assert info["raft_snapshot_last_received_mode"] == "delta"
    assert int(info["raft_snapshot_last_received_bytes"]) < 0.15 * keys * size
    with follower.connect() as connection:
        assert connection.call("GET", "k:20") == b"changed".ljust(size, b"!")
        assert connection.call("GET", "k:1") is None
        assert connection.call("GET", "k:21") == b"21".ljust(size, b".")


def test_the_log_stays_bounded_whatever_is_written(make_cluster):
    cluster = make_cluster(1, peers=False, options={
        "raft.log-max-file-size": "1mb", "raft.log-keep-entries": 10,
        "raft.log-laggard-max-bytes": 0, "raft.snapshot-entries": 2000})
    node = cluster.node(1)
    biggest = 0
    for round_ in range(12):
        fill(node, "same:", 2000, 1000)  # 24 MB of entries over 2 MB of keys
        biggest = max(biggest, number(node, "raft_log_entries"))
        time.sleep(0.3)
    wait_until(lambda: write(node, "x:", 20) or number(node, "raft_log_entries") < 200, 20,
               "the log to be cut", interval=0.5)
    assert number(node, "raft_snapshots_created") >= 1
    node.kill()
    node.start()
    wait_serving(node, 20)
    assert node.call("GET", "same:1999") == b"1999".ljust(1000, b".")


RECEIVER_STEPS = ["snapshot-received", "snapshot-complete", "snapshot-verified",
                  "snapshot-published", "install-committed", "state-swapped", "old-state-deleting"]


@pytest.mark.parametrize("step", RECEIVER_STEPS)
def test_a_crash_at_any_step_of_an_installation_leaves_the_old_or_the_new_state(make_cluster, step):
    """[F14]"""
    cluster = make_cluster(3, options=EAGER)
    write(cluster.node(1), "a:", 40)
    follower = follower_left_behind(cluster)
    follower.environment["KIWI_FAILPOINT"] = step
    follower.start()
    wait_until(lambda: not follower.alive(), 20, f"the crash at {step}")
    assert follower.process.returncode == 77, follower.log_text()[-2000:]
    del follower.environment["KIWI_FAILPOINT"]
    follower.ended_by_us = True
    follower.start()
    wait_serving(follower, 30)
    wait_same(cluster)
    # It may serve, and then answer LOADING once more when the snapshot comes.
    wait_until(lambda: follower.call("GET", "while-away:7") == b"7".ljust(1000, b"."), 20, "the data")

    def states():
        return [p.name for p in follower.group_dir.iterdir() if p.name.startswith("state-")]

    wait_until(lambda: len(states()) == 1, 10, "one state, the other is deleted in the background")


@pytest.mark.parametrize("step", ["snapshot-created", "log-cut"])
def test_a_leader_that_crashes_while_it_cuts_or_sends_opens_again(make_cluster, step):
    cluster = make_cluster(3, options=EAGER)
    write(cluster.node(1), "a:", 20)
    follower = cluster.followers()[0]
    applied = number(follower, "raft_last_applied_index")
    follower.kill()
    leader = cluster.wait_leader()
    if step == "snapshot-created":
        write(leader, "while-away:", 150)
        wait_cut_above(leader, applied)
    other = next(n for n in cluster.nodes if n not in (leader, follower))
    for node in (leader, other):
        node.kill()
        node.environment["KIWI_FAILPOINT"] = step
        node.start()
    victim = cluster.wait_ready()
    if step == "log-cut":
        try:
            for _ in range(20):
                write(victim, "more:", 30)
                time.sleep(0.2)
        except OSError:
            pass
    else:
        follower.start()
    wait_until(lambda: any(not n.alive() for n in (leader, other)), 20, f"the crash at {step}")
    for node in (leader, other):
        node.environment.pop("KIWI_FAILPOINT")
        node.kill()
        node.start()
    if not follower.alive():
        follower.start()
    for node in cluster.nodes:
        wait_serving(node, 30)
    wait_same(cluster)
    wait_serving(cluster.node(1), 30)  # it may have got a snapshot in the meantime
    assert cluster.node(1).call("GET", "a:7") == b"7".ljust(1000, b".")


def test_a_transfer_survives_a_broken_link_and_a_new_leader(make_cluster):
    """[F32]"""
    cluster = make_cluster(3, proxies=True, options={
        **EAGER, "raft.snapshot-max-bytes-per-second": "1500kb"})
    fill(cluster.wait_leader(), "k:", 4000, 1000)
    follower = follower_left_behind(cluster)
    follower.wipe()
    follower.start()
    wait_until(lambda: number(follower, "raft_snapshot_bytes_received") > 500_000, 20,
               "some of the snapshot to come", interval=0.05)
    cluster.proxies.reset_connections()
    leader = cluster.wait_leader()
    leader.kill()
    leader.start()
    wait_serving(follower, 60)
    wait_same(cluster)
    assert follower.call("GET", "k:3999") == b"3999".ljust(1000, b".")
    # What had come was not sent again.
    assert number(follower, "raft_snapshot_bytes_received") < 2 * 4000 * 1000


def peer_fields(leader, peer):
    """The line of INFO raft about one peer, as a dict."""
    for name, value in leader.info("raft").items():
        if name.startswith("raft_node") and value.startswith(f"id={peer.id},"):
            return dict(part.split("=", 1) for part in value.split(","))
    return {}


def test_info_shows_by_which_path_a_follower_is_brought_up_and_how_far_it_lags(make_cluster):
    cluster = make_cluster(3, options={
        "raft.snapshot-entries": 1_000_000, "raft.log-max-cache-size": "64kb",
        "raft.snapshot-max-bytes-per-second": "100kb"})
    leader = cluster.wait_leader()
    write(leader, "a:", 5, size=100)
    wait_same(cluster)
    behind = cluster.followers()[0]
    behind.kill()

    def shows(path, entries=0):
        fields = peer_fields(leader, behind)
        there = fields.get("catch_up") == path and int(fields["lag_entries"]) >= entries
        return fields if there else None

    # What it lacks is in memory,
    write(leader, "memory:", 20, size=100)
    fields = wait_until(lambda: shows("memory", 20), 10, "the memory path")
    assert int(fields["lag_bytes"]) >= 20 * 100, fields
    assert int(fields["lag_ms"]) > 0, fields
    # then in the log only,
    write(leader, "log:", 200)
    fields = wait_until(lambda: shows("log", 220), 10, "the log's path")
    assert int(fields["lag_bytes"]) > 100_000, fields
    # then nowhere but in the state. Both others, since either may lead in the end.
    for node in cluster.alive():
        assert node.call("RAFT.DEBUG", "COMPACT", timeout=60) == "OK"
    behind.start()
    wait_until(lambda: shows("snapshot", 1), 20, "the snapshot's path", interval=0.01)
    wait_received(behind)
    wait_serving(behind, 30)
    wait_same(cluster)
    leader = cluster.wait_leader()
    fields = wait_until(lambda: shows("memory") if leader is not behind else {"lag_entries": 0}, 10,
                        "the follower to be there again")
    assert int(fields["lag_entries"]) == 0, fields


def test_a_save_forces_no_snapshot_on_a_follower_that_is_behind_within_the_budget(make_cluster):
    cluster = make_cluster(3, options={"raft.snapshot-entries": 1_000_000,
                                       "raft.log-keep-entries": 10,
                                       "raft.log-max-cache-size": "64kb"})
    write(cluster.node(1), "a:", 40)
    wait_same(cluster)
    behind = cluster.followers()[0]
    behind.kill()
    leader = cluster.wait_leader()
    write(leader, "b:", 200)
    assert leader.call("SAVE", timeout=60) == "OK"
    assert int(leader.info("raft")["raft_log_entries"]) >= 200  # what the follower lacks
    behind.start()
    wait_serving(behind, 30)
    wait_same(cluster)
    assert number(behind, "raft_snapshots_received") == 0
    # Nobody lacks anything now: the tail stays, no more.
    assert leader.call("BGSAVE") == "Background saving started"
    wait_until(lambda: int(leader.info("raft")["raft_log_entries"]) <= 12, 10, "the log to be cut")
    # And COMPACT leaves nothing, whoever is behind.
    assert leader.call("RAFT.DEBUG", "COMPACT", timeout=60) == "OK"
    wait_until(lambda: leader.info("raft")["raft_log_entries"] == "0", 5, "an empty log")
