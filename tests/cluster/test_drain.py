"""SIGTERM: a node parts with its clients between two of their commands. Clients here look before they
send, as pools do, and never pause."""
from __future__ import annotations

import ssl
import threading
import time

import pytest

from support.cluster import wait_serving
from support.resp import Connection, RespError, encode
from support.roaming import alive
from support.tls import TlsConnection, speak_tls
from support.waiting import wait_until


class Talker(threading.Thread):
    """Says the same block of commands again and again on one connection, until it ends. `lost` is
    what was wrong with its end, if anything was."""

    def __init__(self, node, block, connection=None, looks=alive):
        super().__init__(daemon=True)
        self.block, self.connection, self.looks = block, connection or node.connect(), looks
        self.wire = b"".join(encode(*command) for command in block)
        self.rounds, self.lost = 0, ""

    def run(self):
        with self.connection:
            while not self.lost and self.looks(self.connection):
                try:
                    self.connection.send_raw(self.wire)
                    replies = [self.connection.read() for _ in self.block]
                except OSError as error:
                    self.lost = f"after {self.rounds} rounds: {error!r}"
                    return
                wrong = [r for r in replies if isinstance(r, RespError)]
                self.lost = str(wrong[0]) if wrong else ""
                self.rounds += 1


BLOCKS = {
    "one command": [("INCR", "n")],
    "a pipeline": [("INCR", "p")] * 16,
    "a block": [("MULTI",), ("INCR", "m"), ("INCR", "m"), ("EXEC",)],
    "reads": [("GET", "n")],
}


@pytest.mark.parametrize("what", BLOCKS)
def test_a_node_that_ends_loses_no_command_that_was_sent(make_cluster, what):
    cluster = make_cluster(3)
    for node in [cluster.wait_leader(), cluster.followers()[0]]:
        talkers = [Talker(node, BLOCKS[what]) for _ in range(4)]
        for talker in talkers:
            talker.start()
        wait_until(lambda: all(talker.rounds > 5 for talker in talkers), 10, "everybody to be talking")
        assert node.terminate() == 0
        for talker in talkers:
            talker.join(5)
            assert not talker.is_alive()
            assert not talker.lost, talker.lost
        node.start()
        cluster.wait_ready()


def tls_alive(connection) -> bool:
    """As alive(): what TLS says of itself is no end."""
    connection.socket.settimeout(0)
    try:
        return bool(connection.socket.recv(1))
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    finally:
        connection.socket.settimeout(15)


@pytest.mark.parametrize("what", ["one command", "a pipeline"])
def test_clients_that_speak_tls_lose_no_command_either(make_cluster, what):
    node = speak_tls(make_cluster(1, peers=False, start=False)).start().node(1)
    wait_serving(node)
    talkers = [Talker(node, BLOCKS[what], TlsConnection(node), tls_alive) for _ in range(4)]
    for talker in talkers:
        talker.start()
    wait_until(lambda: all(talker.rounds > 5 for talker in talkers), 10, "everybody to be talking")
    assert node.terminate() == 0
    for talker in talkers:
        talker.join(5)
        assert not talker.is_alive()
        assert not talker.lost, talker.lost


def test_a_transaction_under_way_may_end(single):
    """Its client pauses between MULTI, its commands and EXEC while the node is told to end."""
    node = single.node(1)
    with node.connect() as slow, node.connect() as silent:
        assert slow.call("MULTI") == "OK"
        assert slow.call("SET", "t", "1") == "QUEUED"
        ended = []
        stopper = threading.Thread(target=lambda: ended.append(node.terminate()))
        stopper.start()
        time.sleep(0.1)
        assert slow.call("SET", "u", "2") == "QUEUED"
        assert slow.call("EXEC") == ["OK", "OK"]
        with pytest.raises(ConnectionError, match="closed by the server"):
            slow.read()
        with pytest.raises(ConnectionError, match="closed by the server"):
            silent.read()
        stopper.join(10)
    assert ended == [0]
    node.start()
    wait_serving(node)
    assert node.call("MGET", "t", "u") == [b"1", b"2"]


def test_who_connected_but_was_not_let_in_yet_is_served(single):
    """Connections that wait in the kernel when the node is told to end."""
    node = single.node(1)
    for _ in range(3):
        node.pause()
        waiting = [Connection(node.host, node.port, timeout=5) for _ in range(5)]
        for connection in waiting:
            connection.send("INCR", "let-in")
        node.process.terminate()
        node.ended_by_us = True
        node.resume()
        assert [type(connection.read()) for connection in waiting] == [int] * 5
        assert node.process.wait(10) == 0
        node.start()
        wait_serving(node)


def test_clients_that_listen_are_sent_elsewhere_and_served_until_they_went(make_cluster):
    """[P7] MOVING to each, a node that serves on, and no wait for those that left."""
    cluster = make_cluster(3, options={"drain-seconds": 5})
    node = cluster.followers()[0]
    ports = {n.port for n in cluster.nodes} - {node.port}
    connection = node.connect()
    connection.send_raw(b"HELLO 3\r\nCLIENT MAINT_NOTIFICATIONS ON\r\n")
    connection.read_raw()
    assert connection.read_raw() == b"+OK\r\n"
    node.ended_by_us = True
    begun = time.monotonic()
    node.process.terminate()
    moving = connection.read_raw().split(b"\r\n")
    assert moving[0] == b">4" and moving[2] == b"MOVING" and moving[4] == b":5", moving
    host, _, port = moving[6].decode().rpartition(":")
    assert host == "127.0.0.1" and int(port) in ports
    for number in range(50):  # it is served on
        connection.send_raw(b"INCR served\r\n")
        assert connection.read_raw() == b":%d\r\n" % (number + 1)
        time.sleep(0.01)
    connection.close()
    assert node.process.wait(20) == 0
    assert time.monotonic() - begun < 5, "it waited for a client that had gone"


def test_a_failover_is_told_as_it_begins_and_ends(make_cluster):
    """[P7] A client with a short timeout hears of the election before its command is late."""
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    connection = cluster.followers()[0].connect()
    connection.send_raw(b"HELLO 3\r\nCLIENT MAINT_NOTIFICATIONS ON\r\n")
    connection.read_raw()
    connection.read_raw()
    leader.kill()
    begun = time.monotonic()
    failing = connection.read_raw()
    assert failing.startswith(b">4\r\n$12\r\nFAILING_OVER\r\n"), failing
    assert time.monotonic() - begun < 1
    assert connection.read_raw().startswith(b">3\r\n$11\r\nFAILED_OVER\r\n")


def test_raft_drain_moves_leadership_and_the_announcement_and_stops_nothing(make_cluster):
    cluster = make_cluster(3, sentinel=True)
    leader = cluster.wait_leader()
    assert leader.call("RAFT.DRAIN") == "OK"
    cluster.wait_leader(other_than=leader)

    def announced():
        return int(cluster.followers()[0].sentinel.call(
            "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")[1])

    wait_until(lambda: announced() != leader.port, 10, "another node to be announced")
    assert leader.call("SET", "a", "1") == "OK"


def test_two_nodes_that_drain_leave_leadership_with_the_third(make_cluster):
    """Nor do they hand it to each other once the third is gone, second after second."""
    # Not the machine's doing either: an election for want of a core would be none of theirs.
    cluster = make_cluster(3, options={"raft.election-timeout": 1000})
    stays = cluster.followers()[0]
    drained = [n for n in cluster.nodes if n is not stays]
    for node in drained:
        assert node.call("RAFT.DRAIN") == "OK"
    wait_until(lambda: cluster.leader() is stays, 20, "the third to lead")
    stays.kill()
    cluster.wait_leader(other_than=stays)
    wait_until(lambda: all("state=disconnected" in " ".join(n.info("raft").values()) for n in drained), 10,
               "the link that broke to be noticed")
    term = drained[0].info()["raft_current_term"]
    time.sleep(3)
    assert drained[0].info()["raft_current_term"] == term
    assert drained[0].call("SET", "a", "1") == "OK"
