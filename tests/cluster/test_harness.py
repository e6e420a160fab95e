"""The harness itself, against redis-server and echo servers: what it records and what it breaks."""
from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

from support import chaosrun, fates, oracle, ports
from support.checker import INVALID, VALID, check_history
from support.load import Incrementer, Load, park_clients_of, total, unpark_clients_of
from support.proxy import PeerProxies
from support.resp import Connection, RespError, encode
from support.waiting import WaitTimeout, wait_until
from support.workloads import WORKLOADS, model_of

needs_redis = pytest.mark.skipif(oracle.why_not() is not None, reason=str(oracle.why_not()))


class Nodes:
    """Redis servers in the place of a cluster. One, served by all "nodes": linearizable. Several
    that know nothing of each other: certainly not."""

    def __init__(self, servers):
        self.servers = servers
        self.nodes = servers

    def close(self):
        for server in set(self.servers):
            server.close()


@needs_redis
def test_one_redis_under_all_workloads_is_found_linearizable():
    server = oracle.RedisServer()
    nodes = Nodes([server, server, server])
    try:
        load = Load(nodes, 1, clients_per_node=5, think_seconds=0.0005).start()
        time.sleep(2.0)
        load.stop()
        with server.connect() as connection:
            load.read_everything(connection)
        assert not load.violations()
        report = check_history(load.history, model_of)
        assert report.outcome() == VALID, report.text()
        kinds = {op.key.split(":")[0] for op in load.history.ops if op.fate == fates.OK}
        assert kinds == set(WORKLOADS)
        assert load.history.counts()[fates.OK] > 1000
    finally:
        nodes.close()


@needs_redis
@pytest.mark.parametrize("workload", list(WORKLOADS))
def test_two_servers_that_do_not_replicate_are_found_out(workload):
    nodes = Nodes([oracle.RedisServer(1), oracle.RedisServer(2)])
    try:
        load = Load(nodes, 1, [workload], clients_per_node=3, think_seconds=0.001).start()
        time.sleep(0.7)
        load.stop()
        assert check_history(load.history, model_of).outcome() == INVALID
    finally:
        nodes.close()


@needs_redis
def test_incrementers_park_and_count_exactly():
    server = oracle.RedisServer()
    try:
        clients = [Incrementer(server, "n") for _ in range(5)]
        for client in clients:
            client.start()
        wait_until(lambda: total(clients)[0] > 200, 10, "increments")
        park_clients_of(clients, server)
        parked = total(clients)[0]
        with server.connect() as connection:
            assert int(connection.call("GET", "n")) == parked
        unpark_clients_of(clients, server)
        wait_until(lambda: total(clients)[0] > parked + 200, 10, "more increments")
        for client in clients:
            client.stop()
            client.join(5)
        with server.connect() as connection:
            assert int(connection.call("GET", "n")) == total(clients)[0]
        assert total(clients)[1:] == (0, {})
    finally:
        server.close()


@needs_redis
def test_the_client_reads_every_resp_type():
    server = oracle.RedisServer()
    try:
        with server.connect() as connection:
            assert connection.call("SET", "k", "v") == "OK"
            assert connection.call("GET", "missing") is None
            assert isinstance(connection.call("GET"), RespError)
            assert connection.call("LRANGE", "missing", 0, -1) == []
            hello = connection.call("HELLO", 3)
            assert hello[b"proto"] == 3
            assert connection.call("GET", "missing") is None
            assert connection.call("HGETALL", "missing") == {}
            assert connection.call_raw("GET", "missing") == b"_\r\n"
            assert connection.call_raw("SMEMBERS", "missing") == b"~0\r\n"
            assert connection.pipeline([("INCR", "n"), ("INCR", "n")]) == [1, 2]
            connection.send_raw(b"PING\r\n" + encode("GET", "k"))
            assert connection.read_raw() == b"+PONG\r\n"
            assert connection.read_raw() == b"$1\r\nv\r\n"
    finally:
        server.close()


@pytest.mark.parametrize("text,fate", [
    ("TIMEOUT not committed yet", fates.INFO), ("ERR syntax error", fates.FAIL),
    ("CLUSTERDOWN No raft leader", fates.FAIL), ("MOVED 0 127.0.0.1:1", fates.FAIL)])
def test_error_words_tell_the_fate(text, fate):
    assert fates.of_reply(RespError(text)) == fate


def test_an_unknown_first_word_is_a_violation():
    with pytest.raises(fates.UnknownErrorWord):
        fates.of_reply(RespError("Oops something"))


def test_waiting_in_vain_says_for_what():
    with pytest.raises(WaitTimeout, match="the moon"):
        wait_until(lambda: False, 0.05, "the moon")


# ---------------------------------------------------------------- proxies

class Echo(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            accepted, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    @staticmethod
    def _serve(accepted):
        try:
            while data := accepted.recv(4096):
                accepted.sendall(data)
        except OSError:
            pass


@pytest.fixture
def proxied():
    """This process is node 1 and dials node 2, an echo server."""
    proxies = PeerProxies([1, 2], lambda node: os.getpid() if node == 1 else None)
    ports = proxies.open({2: Echo().port})
    dialled = socket.create_connection(("127.0.0.1", ports[2]))
    dialled.settimeout(0.3)
    yield proxies, dialled, ports[2]
    dialled.close()
    proxies.close()


def echo(dialled, data):
    dialled.sendall(data)
    return dialled.recv(4096)


def test_an_open_proxy_forwards(proxied):
    _, dialled, _ = proxied
    assert echo(dialled, b"hello") == b"hello"


@pytest.mark.parametrize("direction", [(1, 2), (2, 1)])
def test_a_blocked_direction_is_silent_and_delivers_late(proxied, direction):
    proxies, dialled, _ = proxied
    assert echo(dialled, b"a") == b"a"
    proxies.block(*direction)
    dialled.sendall(b"one")
    with pytest.raises(socket.timeout):
        dialled.recv(4096)
    dialled.sendall(b"two")
    with pytest.raises(socket.timeout):
        dialled.recv(4096)
    proxies.heal()
    dialled.settimeout(3)
    received = b""
    while len(received) < 6:
        received += dialled.recv(4096)
    assert received == b"onetwo"


def ended(dialled) -> bool:
    try:
        return dialled.recv(10) == b""
    except ConnectionError:
        return True


def test_a_cut_pair_is_reset_and_refused_until_healed(proxied):
    proxies, dialled, port = proxied
    assert echo(dialled, b"a") == b"a"
    proxies.cut(1, 2)
    dialled.settimeout(3)
    assert ended(dialled)
    with socket.create_connection(("127.0.0.1", port)) as again:
        again.settimeout(3)
        assert ended(again)
    proxies.heal()
    with socket.create_connection(("127.0.0.1", port)) as again:
        again.settimeout(3)
        assert echo(again, b"back") == b"back"


def test_a_blocked_pair_takes_new_connections_and_answers_none(proxied):
    proxies, _, port = proxied
    proxies.isolate(2)
    with socket.create_connection(("127.0.0.1", port)) as again:
        again.settimeout(0.3)
        again.sendall(b"x")
        with pytest.raises(socket.timeout):
            again.recv(1)
        proxies.heal()
        again.settimeout(3)
        assert again.recv(1) == b"x"


def test_a_stranger_passes_all_gates(proxied):
    proxies, _, port = proxied
    proxies._pid_of = lambda node: None
    proxies.isolate(2)
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.settimeout(3)
        assert echo(stranger, b"hi") == b"hi"


def test_connections_to_nobody_raise():
    with pytest.raises(OSError):
        Connection("127.0.0.1", 1)


# ---------------------------------------------------------------- differences

@needs_redis
def test_two_equal_servers_do_not_differ_and_a_changed_one_does():
    from support.differential import Difference, Generator, Pair, whole_state
    servers = [oracle.RedisServer(), oracle.RedisServer()]
    try:
        pair = Pair(servers[0].connect(), servers[1].connect())
        generator = Generator(5)
        for _ in range(40):
            pair.run([generator.next() for _ in range(20)])
        pair.run([["DISCARD"]])
        whole_state(pair)
        pair.run([["SELECT", "0"], ["SET", "a", "same"]])
        with servers[0].connect() as behind_its_back:
            behind_its_back.must("SET", "a", "other")
        with pytest.raises(Difference, match="GET.*\n.*other"):
            whole_state(pair)
    finally:
        for server in servers:
            server.close()


@needs_redis
@pytest.mark.parametrize("command,left,right,same", [
    (["KEYS", "*"], [b"a", b"b"], [b"b", b"a"], True),
    (["KEYS", "*"], [b"a", b"b"], [b"b"], False),
    (["LRANGE", "k", 0, -1], [b"a", b"b"], [b"b", b"a"], False),
    (["ttl", "k"], 100, 99, True), (["ttl", "k"], 100, 90, False), (["TTL", "k"], -1, -2, False),
    (["GET", "k"], b"1", 1, False), (["GET", "k"], RespError("ERR a"), RespError("ERR b"), False)])
def test_what_counts_as_the_same_reply(command, left, right, same):
    from support.differential import equivalent
    assert equivalent(command, left, right) is same


# ---------------------------------------------------------------- what counts as found

def test_only_what_a_bug_of_the_server_explains_counts_as_found():
    def compared(*contents):
        outcome = chaosrun.Outcome(chaosrun.Plan())
        chaosrun._compare(dict(enumerate(contents, 1)), outcome)
        return outcome.good, bool(outcome.proofs)
    assert compared("17", "17", "17") == (True, False)
    assert compared("17", "17", "18") == (False, True)
    assert compared("17", None, "17") == (False, False)  # trouble, and no proof of anything
    assert compared(None, None, None) == (False, False)


@pytest.mark.parametrize("other", [["--exactly-once"], ["--deadlines", "10"], ["--check", "x.gz"]])
def test_a_bug_is_refused_where_it_would_not_be_switched_on(other):
    chaos = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "chaos"
    done = subprocess.run([chaos, "--mutant", "duplicate-applied", *other], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "KIWI_MUTANT_SERVER": "/bin/false"})
    assert done.returncode == 2 and "--mutant" in done.stderr


def test_a_port_is_given_to_one_process_only():
    ours = [ports.free_port(), ports.free_web_port(), ports.free_ports(3) + 2]
    asks = "import sys; from support.ports import claim; print([claim(int(port)) for port in sys.argv[1:]])"
    other = subprocess.run([sys.executable, "-c", asks, *map(str, ours)], capture_output=True, text=True,
                           cwd=pathlib.Path(__file__).parent)
    assert other.stdout == "[False, False, False]\n", other.stdout + other.stderr
    assert not any(ports.claim(port) for port in ours)
