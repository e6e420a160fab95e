"""The first moments after a start: nothing old, nothing empty [F39; RedisRaft's issues 14, 18, 30]."""
from __future__ import annotations

import time

import pytest

from support import fates
from support.cluster import wait_serving
from support.resp import RespError, try_connect


def first_answers(node, commands, seconds=10.0):
    """Asks from the first moment the port is open until every command was answered for real.
    Returns the answers that were no errors."""
    deadline = time.monotonic() + seconds
    answers = {command: [] for command in commands}
    while time.monotonic() < deadline:
        connection = try_connect(node.host, node.port)
        if connection is None:
            time.sleep(0.002)
            continue
        with connection:
            while time.monotonic() < deadline:
                for command in commands:
                    reply = connection.call(*command)
                    if isinstance(reply, RespError):
                        assert fates.of_error(reply) in (fates.FAIL, fates.INFO)
                    else:
                        answers[command].append(reply)
                if all(len(given) >= 5 for given in answers.values()):
                    return answers
    raise AssertionError(f"node {node.id} does not answer: {node.log_text()[-1500:]}")


@pytest.mark.parametrize("level", ["linearizable", "stale"])
def test_a_restarted_node_answers_with_all_it_acknowledged_or_not_at_all(make_cluster, level):
    """[F39] also for READONLY connections: no way back to the flushed state."""
    cluster = make_cluster(1, peers=False)
    node = cluster.node(1)
    elements = 0
    for _ in range(4):
        with node.connect() as connection:
            replies = connection.pipeline([("RPUSH", "l", i) for i in range(150)])
            elements += 150
            assert replies[-1] == elements
        node.kill()
        node.start()
        commands = [("LLEN", "l"), ("EXISTS", "l")]
        if level == "stale":
            commands.insert(0, ("READONLY",))
        answers = first_answers(node, commands)
        assert set(answers[("LLEN", "l")]) == {elements}
        assert set(answers[("EXISTS", "l")]) == {1}


def test_three_restarted_nodes_never_show_an_older_list(make_cluster):
    cluster = make_cluster(3)
    elements = 0
    for round_number in range(3):
        writer = cluster.nodes[round_number]
        with writer.connect() as connection:
            connection.pipeline([("RPUSH", "l", i) for i in range(100)])
        elements += 100
        for node in cluster.nodes:
            node.process.kill()
        for node in cluster.nodes:
            node.kill()
        for node in cluster.nodes:
            node.start()
        for node in cluster.nodes:
            answers = first_answers(node, [("LLEN", "l")])
            assert set(answers[("LLEN", "l")]) == {elements}, f"node {node.id}"
        cluster.wait_ready()


def test_every_command_is_applied_once_on_every_node(make_cluster):
    """RedisRaft's issues 13 and 14: one RPUSH through each node, also after a failover; equal checksums."""
    cluster = make_cluster(3)
    for count, node in enumerate(cluster.nodes, 1):
        assert node.call("RPUSH", "once", node.id) == count
    cluster.wait_leader().kill()
    survivors = cluster.alive()
    cluster.wait_leader(among=survivors)
    assert survivors[0].call("RPUSH", "once", "x") == 4
    assert survivors[1].call("LRANGE", "once", 0, -1) == [b"1", b"2", b"3", b"x"]
    cluster.start()
    cluster.wait_applied_equal()
    checksums = {node.info("raft")["raft_state_checksum"] for node in cluster.nodes}
    assert len(checksums) == 1, "replicas differ"
    for node in cluster.nodes:
        wait_serving(node)
        assert node.call("LLEN", "once") == 4
