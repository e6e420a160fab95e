"""Clients that speak TLS: who is let in, what each side says when not, reload, redirection, hostile bytes."""
from __future__ import annotations

import random
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
import redis

from support.resp import RespError
from support.tls import (TlsConnection, certificates, context, directory, plain_socket, read_to_end, speak_tls,
                         tls_port)
from support.waiting import wait_until


@pytest.fixture(scope="module")
def secured():
    from support.cluster import Cluster
    # Values of MiB on a machine that does much else: no election for them.
    with Cluster(3, name="tls", options={"raft.election-timeout": "1500"}) as cluster:
        speak_tls(cluster)
        cluster.start()
        yield cluster


def cli(node, *words, **options):
    return subprocess.run(["redis-cli", "-h", node.host, "-p", str(tls_port(node)), *words], text=True,
                          capture_output=True, timeout=30, **options)


def test_redis_cli_and_redis_benchmark(secured):
    node = secured.node(2)
    tls = certificates.client_words(str(directory(node)))
    assert cli(node, *tls, "SET", "from:cli", "1").stdout == "OK\n"
    assert cli(secured.node(3), *tls, "GET", "from:cli").stdout == "1\n"
    done = subprocess.run(["redis-benchmark", "-p", str(tls_port(node)), *tls, "-n", "2000", "-c", "20", "-P",
                           "4", "-t", "set,get", "-q"], text=True, capture_output=True, timeout=120)
    assert done.returncode == 0 and "GET" in done.stdout, done.stdout + done.stderr
    # The plain port is beside it.
    assert node.call("GET", "from:cli") == b"1"


def test_redis_py(secured):
    node = secured.node(1)
    where = directory(node)
    r = redis.Redis(host="localhost", port=tls_port(node), ssl=True, ssl_ca_certs=str(where / "ca.crt"),
                    ssl_certfile=str(where / "client.crt"), ssl_keyfile=str(where / "client.key"),
                    socket_timeout=15)
    assert r.set("py", 1) and r.get("py") == b"1"
    with r.pipeline(transaction=False) as pipe:
        for i in range(2000):
            pipe.set(f"py:{i}", i).get(f"py:{i}")
        assert pipe.execute() == [x for i in range(2000) for x in (True, str(i).encode())]
    big = random.Random(1).randbytes(8 << 20)
    assert r.set("py:big", big) and r.get("py:big") == big
    assert r.info("server")["tls_port"] == tls_port(node)
    assert r.info("server")["tls_certificate_expires_at"] > time.time()


def test_a_large_reply_to_a_slow_reader_arrives_whole(secured):
    node = secured.node(2)
    value = random.Random(2).randbytes(16 << 20)
    with TlsConnection(node, timeout=60) as slow, TlsConnection(node) as other:
        slow.must("SET", "slow", value)
        for _ in range(4):
            slow.send("GET", "slow")
        time.sleep(0.5)
        assert other.must("PING") == "PONG"  # nobody waits for the slow one
        for _ in range(4):
            assert slow.read() == value


def test_mutual_tls_says_who_is_not_let_in(secured, tmp_path):
    node = secured.node(1)
    # Without a certificate: TLS 1.3 tells the client at its first read.
    with pytest.raises(OSError) as refused:
        with TlsConnection(node, made=context(node, certificate=None)) as nobody:
            nobody.must("PING")
    assert "required" in str(refused.value).lower() or isinstance(refused.value, ConnectionError), refused.value
    # Signed by somebody else.
    stranger = tmp_path / "stranger"
    certificates.make(str(stranger))
    foreign = context(node, certificate=None)
    foreign.load_cert_chain(stranger / "client.crt", stranger / "client.key")
    with pytest.raises(OSError):
        with TlsConnection(node, made=foreign) as connection:
            connection.must("PING")
    # The client does not know the server's authority.
    with pytest.raises(ssl.SSLCertVerificationError):
        TlsConnection(node, made=context(node, authority=stranger))
    # TLS 1.2 is spoken, what is older is not.
    old = context(node, maximum_version=ssl.TLSVersion.TLSv1_2)
    with TlsConnection(node, made=old) as connection:
        assert connection.must("PING") == "PONG" and connection.socket.version() == "TLSv1.2"
    assert int(node.info("stats")["tls_handshake_failures"]) >= 3


def test_optional_and_no_certificates(secured):
    node = secured.node(3)
    try:
        for choice in ("optional", "no"):
            assert node.call("CONFIG", "SET", "tls-auth-clients", choice) == "OK"
            with TlsConnection(node, made=context(node, certificate=None)) as connection:
                assert connection.must("PING") == "PONG"
        assert node.call("CONFIG", "GET", "tls-auth-clients") == [b"tls-auth-clients", b"no"]
    finally:
        assert node.call("CONFIG", "SET", "tls-auth-clients", "yes") == "OK"


def test_plain_bytes_on_the_tls_port_and_tls_on_the_plain_one_end_clearly(secured):
    node = secured.node(1)
    for words in (b"PING\r\n", b"*1\r\n$4\r\nPING\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        with plain_socket(node) as plain:
            plain.sendall(words)
            assert read_to_end(plain).startswith(b"-ERR this port speaks TLS"), words
    with socket.create_connection((node.host, node.port), timeout=5) as connection:
        with pytest.raises(ssl.SSLError) as refused:
            context(node).wrap_socket(connection, server_hostname="localhost")
        assert "protocol version" in str(refused.value).replace("_", " ").lower()
    done = subprocess.run(["redis-cli", "-p", str(node.port), "--tls", "--insecure", "PING"], text=True,
                          capture_output=True, timeout=30)
    assert done.returncode != 0 and "PONG" not in done.stdout


def test_no_renegotiation(secured):
    node = secured.node(1)
    where = directory(node)
    words = ["openssl", "s_client", "-connect", f"{node.host}:{tls_port(node)}", "-tls1_2", "-CAfile",
             str(where / "ca.crt"), "-cert", str(where / "client.crt"), "-key", str(where / "client.key")]
    # Its input stays open: at its end the program would go before it hears the answer.
    with subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as asking:
        asking.stdin.write("R\n")
        asking.stdin.flush()
        asking.wait(30)
        assert "no renegotiation" in asking.stdout.read()
    assert node.call("PING") == "PONG"


def test_certificates_are_replaced_without_a_word_to_who_is_there(make_cluster):
    cluster = speak_tls(make_cluster(1, peers=False, start=False, name="reload")).start()
    node = cluster.node(1)
    where = directory(node)
    stop, errors, done = threading.Event(), [], [0]

    def work():
        with TlsConnection(node) as connection:
            while not stop.is_set():
                done[0] += 1
                if connection.must("INCR", "reload") != done[0]:
                    errors.append(done[0])

    worker = threading.Thread(target=work)
    worker.start()
    try:
        # A new authority and new certificates, at the same paths.
        before = (where / "ca.crt").read_text()
        fresh = cluster.root / "fresh"
        certificates.make(str(fresh))
        # Half of it first: the key does not belong to the certificate.
        shutil.copy(fresh / "node.key", where / "node.key")
        refused = node.call("CONFIG", "SET", "tls-key-file", str(where / "node.key"))
        assert isinstance(refused, RespError)
        assert "Unable to update TLS configuration" in str(refused) and "node.key" in str(refused)
        with TlsConnection(node) as connection:  # what was in force stays
            assert connection.must("PING") == "PONG"
        for name in ("ca.crt", "node.crt", "client.crt", "client.key"):
            shutil.copy(fresh / name, where / name)
        node.process.send_signal(signal.SIGHUP)

        def fresh_one_works():
            try:
                with TlsConnection(node) as connection:
                    return connection.must("PING") == "PONG"
            except OSError:
                return False

        wait_until(fresh_one_works, 10, "the new certificate")
        (cluster.root / "before").mkdir()
        (cluster.root / "before" / "ca.crt").write_text(before)
        with pytest.raises(ssl.SSLError):
            TlsConnection(node, made=context(node, authority=cluster.root / "before"))
        mark = done[0]
        wait_until(lambda: done[0] > mark + 10, 10, "the client of before to go on")
    finally:
        stop.set()
        worker.join(30)
    assert not errors and node.alive()


def test_a_certificate_logs_in_by_its_name(make_cluster):
    cluster = make_cluster(1, peers=False, start=False, name="names", options={"requirepass": "secret"})
    speak_tls(cluster, tls_auth_clients_user="CN").start()
    node = cluster.node(1)
    where = directory(node)
    certificates.sign(str(where), "default", "default")
    certificates.sign(str(where), "other", "nobody-of-that-name")
    certificates.sign(str(where), "reader", "reader")
    assert node.call("ACL", "SETUSER", "reader", "on", ">another", "~*", "+get", "+acl|whoami") == "OK"
    with TlsConnection(node, made=context(node, certificate="default")) as connection:
        assert connection.must("SET", "a", 1) == "OK"
    with TlsConnection(node, made=context(node, certificate="reader")) as connection:
        assert connection.must("ACL", "WHOAMI") == b"reader"
        assert connection.must("GET", "a") == b"1"
        assert str(connection.call("SET", "a", 2)).startswith("NOPERM")
    with TlsConnection(node, made=context(node, certificate="other")) as connection:
        assert str(connection.call("GET", "a")).startswith("NOAUTH")
        assert connection.must("AUTH", "secret") == "OK"
    assert node.call("CONFIG", "SET", "tls-auth-clients-user", "off") == "OK"
    with TlsConnection(node, made=context(node, certificate="default")) as connection:
        assert str(connection.call("GET", "a")).startswith("NOAUTH")


def test_redirections_name_the_port_that_the_client_speaks(make_cluster):
    cluster = make_cluster(3, start=False, name="redirect",
                           options={"raft.follower-proxy": "no", "cluster-enabled": "yes"})
    speak_tls(cluster).start()
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    for connection, port in ((TlsConnection(follower), tls_port(leader)), (follower.connect(), leader.port)):
        with connection:
            assert str(connection.call("GET", "a")).endswith(f" {leader.host}:{port}")
            slots = connection.must("CLUSTER", "SLOTS")
            assert slots[0][2][1] == port
    ports = {tls_port(node) for node in cluster.nodes}
    with TlsConnection(follower) as connection:
        slots = connection.must("CLUSTER", "SLOTS")
        assert {one[1] for one in slots[0][2:]} == ports
    seen = {part for name, value in follower.info("raft").items() if name.startswith("raft_node")
            for part in value.split(",") if part.startswith("tls_port=")}
    assert seen == {f"tls_port={port}" for port in ports - {tls_port(follower)}}


def test_port_0_leaves_the_tls_port_alone(make_cluster):
    cluster = speak_tls(make_cluster(1, peers=False, start=False, name="only"))
    node = cluster.node(1)
    node.options["port"] = "0"
    node.options["raft.peer-port"] = str(node.peer_port)
    node.start()

    def answers():
        try:
            with TlsConnection(node) as connection:
                return connection.call("SET", "a", 1) == "OK"
        except OSError:
            return False

    wait_until(answers, 20, "the TLS port")
    with pytest.raises(OSError):
        socket.create_connection((node.host, node.port), timeout=2)


@pytest.mark.parametrize("change,word", [
    ({"tls-cert-file": None}, "tls-cert-file"),
    ({"tls-cert-file": "/nowhere/a.crt"}, "/nowhere/a.crt"),
    ({"tls-ca-cert-file": None}, "tls-ca-cert-file"),
    ({"tls-protocols": "TLSv1.1"}, "tls-protocols"),
    ({"tls-ciphers": "NO-SUCH"}, "tls-ciphers"),
])
def test_a_node_does_not_start_with_tls_options_that_do_not_fit(make_cluster, change, word):
    cluster = speak_tls(make_cluster(1, peers=False, start=False, name="wrong"))
    node = cluster.node(1)
    node.options.update(change)
    node.start()
    assert node.process.wait(20) != 0
    assert word in node.log_text().split("harness starts", 1)[1].split("\n", 1)[1]


def test_who_says_nothing_does_not_keep_others_out(secured):
    node = secured.node(2)
    before = int(node.info("stats")["tls_handshake_failures"])
    silent = [plain_socket(node) for _ in range(300)]
    try:
        for i in range(20):
            with TlsConnection(node) as connection:
                assert connection.must("SET", "crowd", i) == "OK"
        # 10 s after they came they are gone, all of them.
        deadline = time.monotonic() + 20
        for one in silent:
            one.settimeout(max(0.1, deadline - time.monotonic()))
            assert read_to_end(one) == b""
    finally:
        for one in silent:
            one.close()
    assert int(node.info("stats")["tls_handshake_failures"]) >= before + 300


def test_hostile_bytes_on_both_ports_harm_nobody(secured, seed):
    rng = random.Random(seed)
    nodes = secured.nodes
    pids = [node.pid for node in nodes]
    hello = ssl.MemoryBIO()
    client = context(nodes[0]).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    good = hello.read()
    with TlsConnection(nodes[0]) as bystander:
        memory = nodes[0].rss_bytes()
        for round_ in range(400):
            data = bytearray(good)
            kind = round_ % 5
            if kind == 0:
                data = bytearray(rng.randbytes(rng.randrange(1, 20_000)))
            elif kind == 1:
                data = bytearray(b"\x16\x03\x01") + rng.randbytes(rng.randrange(1, 20_000))
            elif kind == 2:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            elif kind == 3:
                del data[rng.randrange(1, len(data)):]
            else:
                data += rng.randbytes(rng.randrange(1, 40_000))
            port = tls_port(nodes[0]) if round_ % 2 else nodes[0].port
            with socket.create_connection((nodes[0].host, port), timeout=5) as thrown:
                try:
                    thrown.sendall(bytes(data))
                    if kind == 4:
                        thrown.settimeout(0.2)
                        thrown.recv(65536)
                except OSError:
                    pass
            if round_ % 50 == 0:
                assert bystander.must("INCR", "bystander") == round_ // 50 + 1
        wait_until(lambda: nodes[0].rss_bytes() < memory + (64 << 20), 20, "the memory to be given back")
    assert [node.pid for node in nodes] == pids and all(node.alive() for node in nodes)


def test_bytes_changed_on_the_way_end_the_connection_and_change_nothing(secured, seed):
    """Between a client and the node: every write has its bytes flipped somewhere once."""
    rng, node = random.Random(seed), secured.node(1)
    for _ in range(30):
        raw = socket.create_connection((node.host, tls_port(node)), timeout=5)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context(node).wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        raw.sendall(outgoing.read())
        client.write(b"*3\r\n$3\r\nSET\r\n$7\r\nflipped\r\n$1\r\n1\r\n")
        record = bytearray(outgoing.read())
        record[rng.randrange(5, len(record))] ^= 1 << rng.randrange(8)
        raw.sendall(bytes(record))
        read_to_end(raw)  # it ends
        raw.close()
    assert node.call("EXISTS", "flipped") == 0
