"""kill -9 of the leader, of all, under load; exactly once [F3, F4, F23]; what survives a failover."""
from __future__ import annotations

import threading
import time

import pytest

from support import exactlyonce
from support.cluster import wait_serving
from support.load import Incrementer, park_clients_of, total
from support.resp import Connection, RespError
from support.waiting import wait_until


def test_leader_kill_under_50_connections_to_the_survivors_is_only_latency(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    survivors = [n for n in cluster.nodes if n is not leader]
    clients = [Incrementer(survivors[i % 2], "hits") for i in range(50)]
    for client in clients:
        client.start()
    wait_until(lambda: total(clients)[0] > 500, 20, "load")
    leader.kill()
    killed = time.monotonic()
    wait_until(lambda: any(c.last_success > killed for c in clients), 15, "a success after the kill",
               interval=0.005)
    first = min(c.last_success for c in clients if c.last_success > killed) - killed
    after = total(clients)[0]
    wait_until(lambda: total(clients)[0] > after + 500, 20, "load after the kill")
    leader.start()
    wait_serving(leader)
    for client in clients:
        client.stop()
    for client in clients:
        client.join(20)
        assert not client.is_alive(), f"{client.name} hangs"
    acknowledged, unknown, errors = total(clients)
    print(f"first success {first:.2f} s after the kill, {acknowledged} increments")
    assert (unknown, dict(errors)) == (0, {})
    for node in cluster.nodes:
        assert int(node.call("GET", "hits")) == acknowledged
    assert first < 5.0


def test_exactly_once_while_the_leader_is_killed_again_and_again(make_cluster, seed):
    cluster = make_cluster(3)
    result = exactlyonce.run(cluster, 14, seed, clients_per_node=20, kill_every=3.5)
    print(result.text())
    assert result.good, result.text()
    assert result.kills >= 3


def test_all_nodes_killed_at_once_under_load_lose_nothing_acknowledged(make_cluster):
    cluster = make_cluster(3)
    for round_number in range(3):
        acknowledged: list[dict] = []
        stop = threading.Event()

        def writer(node, number):
            mine: dict[str, int] = {}
            acknowledged.append(mine)
            try:
                with Connection(node.host, node.port, timeout=5) as connection:
                    i = 0
                    while not stop.is_set():
                        keys = [f"all:{round_number}:{number}:{i + j}" for j in range(5)]
                        replies = connection.pipeline([("SET", key, i) for key in keys])
                        for key, reply in zip(keys, replies):
                            if reply == "OK":
                                mine[key] = i
                        i += 5
            except OSError:
                pass

        threads = [threading.Thread(target=writer, args=(cluster.nodes[n % 3], n)) for n in range(9)]
        for thread in threads:
            thread.start()
        wait_until(lambda: sum(map(len, acknowledged)) > 1500, 20, "acknowledged writes")
        for node in cluster.nodes:
            node.process.kill()
        for node in cluster.nodes:
            node.kill()
        stop.set()
        for thread in threads:
            thread.join()
        cluster.start()
        reader = cluster.nodes[round_number % 3]
        with reader.connect() as connection:
            for mine in acknowledged:
                keys = list(mine)
                replies = connection.pipeline([("GET", key) for key in keys])
                lost = [k for k, r in zip(keys, replies) if r != str(mine[k]).encode()]
                assert not lost, f"round {round_number}: {len(lost)} acknowledged writes lost"


def test_a_follower_that_was_down_catches_up_while_the_load_goes_on(make_cluster):
    cluster = make_cluster(3)
    victim = cluster.followers()[0]
    victim.kill()
    writer = cluster.wait_leader()
    with writer.connect() as connection:
        for start in range(0, 3000, 500):
            replies = connection.pipeline(
                [("SET", f"cu:{start + i}", "x" * 200) for i in range(500)])
            assert replies == ["OK"] * 500
    victim.start()
    wait_serving(victim)
    assert victim.call("DBSIZE") == writer.call("DBSIZE")
    applied = cluster.wait_applied_equal()
    # It now counts: without the third, it and the writer are the majority.
    third = next(n for n in cluster.nodes if n not in (victim, writer))
    third.kill()
    assert victim.call("SET", "after", 1) == "OK"
    assert int(victim.info("raft")["raft_last_applied_index"]) > applied


def test_watch_holds_across_a_leader_change(make_cluster):
    """[F11]: the token is compared at apply, whoever leads."""
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    follower, other = [n for n in cluster.nodes if n is not leader]
    untouched, touched = follower.connect(), follower.connect()
    follower.call("MSET", "wa", 1, "wb", 1)
    untouched.must("WATCH", "wa")
    touched.must("WATCH", "wb")
    other.call("SET", "wb", 2)
    leader.kill()
    cluster.wait_leader(other_than=leader)
    assert untouched.pipeline([("MULTI",), ("INCR", "wa"), ("EXEC",)])[-1] == [2]
    assert touched.pipeline([("MULTI",), ("INCR", "wb"), ("EXEC",)])[-1] is None


def test_multi_queued_before_a_leader_kill_executes_once_after_it(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    follower = next(n for n in cluster.nodes if n is not leader)
    with follower.connect() as connection:
        connection.must("MULTI")
        connection.must("INCR", "mk")
        connection.must("RPUSH", "mkl", "a")
        connection.send("EXEC")
        leader.kill()
        assert connection.read() == [1, 1]
    assert follower.call("GET", "mk") == b"1"
    assert follower.call("LRANGE", "mkl", 0, -1) == [b"a"]


def test_a_scan_goes_on_on_another_node_after_a_failover(make_cluster):
    """[F33]: a cursor is a position in the key space that every node shares."""
    cluster = make_cluster(3)
    keys = {f"scan:{i}".encode() for i in range(400)}
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        connection.pipeline([("SET", key, 1) for key in keys])
    found, cursor = set(), b"0"
    for _ in range(5):
        cursor, page = leader.call("SCAN", cursor, "COUNT", 30)
        found.update(page)
    assert 0 < len(found) < 400 and cursor != b"0"
    leader.kill()
    cluster.wait_leader(other_than=leader)
    others, turn = cluster.alive(), 0
    while cursor != b"0":
        cursor, page = others[turn % 2].call("SCAN", cursor, "COUNT", 30, "MATCH", "scan:*")
        found.update(page)
        turn += 1
    assert keys <= found


def test_a_paused_leader_is_replaced_and_does_no_harm_when_it_wakes(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    others = [n for n in cluster.nodes if n is not leader]
    with leader.connect() as old:
        old.must("SET", "p", "before")
        leader.pause()
        old.send("GET", "p")  # waits in the paused process's socket
        old.send("SET", "q", "by the sleeper")
        cluster.wait_leader(among=others)
        assert others[0].call("SET", "p", "after") == "OK"
        leader.resume()
        reply = old.read()
        assert reply == b"after" or isinstance(reply, RespError), f"stale read {reply!r}"
        assert old.read() == "OK"
    for node in cluster.nodes:
        wait_serving(node)
        assert node.call("MGET", "p", "q") == [b"after", b"by the sleeper"]


@pytest.mark.parametrize("size", [5])
def test_five_nodes_survive_two(make_cluster, size):
    cluster = make_cluster(size)
    clients = []
    first = cluster.wait_leader()
    second = cluster.followers()[0]
    survivors = [n for n in cluster.nodes if n not in (first, second)]
    clients = [Incrementer(node, "five") for node in survivors for _ in range(4)]
    for client in clients:
        client.start()
    wait_until(lambda: total(clients)[0] > 100, 20, "load")
    first.kill()
    second.kill()
    middle = total(clients)[0]
    wait_until(lambda: total(clients)[0] > middle + 200, 20, "load with two of five dead")
    for node in survivors:
        park_clients_of(clients, node)
    for client in clients:
        client.stop()
    acknowledged, unknown, errors = total(clients)
    assert (unknown, dict(errors)) == (0, {})
    assert int(survivors[0].call("GET", "five")) == acknowledged
