"""Garbage on any port: the connection is closed and nothing else happens [F30]."""
from __future__ import annotations

import os
import random
import resource
import socket
import threading
import time

import pytest

from support.cluster import Cluster, wait_serving
from support.resp import Connection
from support.waiting import wait_until

MALFORMED = [
    b"*-2\r\n", b"*1048577\r\n", b"*abc\r\n", b"*99999999999999999999\r\n", b"*1\r\n$-1\r\n",
    b"*1\r\n$abc\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n$99999999999999999999\r\n",
    b"*1\r\n:4\r\n", b"*1\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\nab\r\n\r\n", b"*3\r\n$3\r\nSE",
    b"\r\n" * 1000, b"\0" * 4096, b"SET \"unbalanced\r\n", b"GET 'x\r\n", b"*1\r\n$4\r\nPINGxx",
    b"A" * 70000, b"*1000000\r\n" + b"$1\r\na\r\n" * 10, b"*1\n$4\nPING\n", b"$5\r\nhello\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 200,  # TLS hello
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"*1\r\n$0\r\n\r\n", b"*0\r\n", b"+OK\r\n",
]


def throw(port: int, data: bytes, linger: float = 0.15) -> bytes:
    """Sends and collects what comes back until close or silence."""
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as thrown:
            thrown.sendall(data)
            thrown.settimeout(linger)
            while chunk := thrown.recv(65536):
                received += chunk
                if len(received) > 1 << 20:
                    break
    except OSError:
        pass
    return received


@pytest.fixture(scope="module")
def shared(io_engine):
    """Their elections are to be those that garbage caused, not the machine's."""
    with Cluster(3, faces=True, name="garbage", options={"raft.election-timeout": 1500}) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture
def bystander(shared):
    """A client on each node that must notice nothing."""
    connections = [node.connect() for node in shared.nodes]
    before = [(n.pid, n.info("raft")["raft_current_term"]) for n in shared.nodes]
    for i, connection in enumerate(connections):
        connection.must("SET", f"bystander:{i}", i)
    yield
    for i, connection in enumerate(connections):
        assert connection.must("GET", f"bystander:{i}") == str(i).encode()
        connection.close()
    assert all(node.alive() for node in shared.nodes), shared.log_tails()
    assert [(n.pid, n.info("raft")["raft_current_term"]) for n in shared.nodes] == before, (
        "garbage caused an election or a restart")


@pytest.mark.parametrize("port_of", ["client", "peer"])
def test_64_kib_of_random_bytes_harm_nobody(shared, bystander, seed, port_of):
    rng = random.Random(seed)
    for node in shared.nodes:
        port = node.port if port_of == "client" else node.peer_port
        for _ in range(3):
            throw(port, rng.randbytes(65536))
        throw(port, b"*3\r\n$3\r\nSET\r\n" + rng.randbytes(4096))
        throw(port, rng.randbytes(7), linger=0.05)
        throw(port, b"", linger=0.05)


@pytest.mark.parametrize("port_of", ["client", "peer"])
def test_malformed_resp_harms_nobody(shared, bystander, port_of):
    node = shared.node(2)
    for data in MALFORMED:
        reply = throw(node.port if port_of == "client" else node.peer_port, data, linger=0.1)
        if port_of == "client":
            assert b"INTERNAL" not in reply.upper(), (data[:40], reply)


@pytest.mark.parametrize("data,reply", [
    (b"*abc\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"*1048577\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"*1\r\n$abc\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (b"*1\r\n$536870913\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (b"*1\r\n:4\r\n", b"-ERR Protocol error: expected '$', got ':'\r\n"),
    (b"SET \"unbalanced\r\n", b"-ERR Protocol error: unbalanced quotes in request\r\n"),
    (b"A" * 70000, b"-ERR Protocol error: too big inline request\r\n"),
])
def test_protocol_errors_have_redis_texts_and_close(shared, data, reply):
    with Connection("127.0.0.1", shared.node(1).port) as connection:
        try:
            connection.send_raw(data)
        except OSError:
            pass
        assert connection.read_raw() == reply
        with pytest.raises((ConnectionError, OSError)):
            connection.read_raw()


def test_a_peer_port_scan_does_not_disturb_real_links(shared, bystander):
    """Half-open strangers, more than the handshake limit, while the cluster works."""
    node = shared.wait_leader()
    strangers = []
    try:
        for _ in range(100):
            strangers.append(socket.create_connection(("127.0.0.1", node.peer_port), timeout=2))
        with node.connect() as connection:
            for i in range(50):
                assert connection.must("SET", f"scan:{i}", i) == "OK"
        deadline = time.monotonic() + 10
        closed = 0
        for stranger in strangers:
            stranger.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                while stranger.recv(4096):
                    pass
                closed += 1
            except ConnectionError:
                closed += 1
            except socket.timeout:
                pass
        assert closed == len(strangers), "strangers that say nothing must be cut off"
    finally:
        for stranger in strangers:
            stranger.close()


def test_garbage_to_the_peer_port_is_logged_but_does_not_flood_the_log(shared):
    node = shared.node(3)
    before = len(node.log_text().splitlines())
    for _ in range(50):
        throw(node.peer_port, b"garbage" * 100, linger=0.05)
    grown = len(node.log_text().splitlines()) - before
    assert grown <= 55, f"{grown} log lines for 50 strangers"


def test_a_replayed_handshake_opens_no_door(make_cluster):
    """What one node said to another, said again by a stranger: no vote, no harm."""
    cluster = make_cluster(3, proxies=True)
    recorded = record_first_bytes(cluster)
    assert recorded, "no handshake was recorded"
    target = cluster.node(3)
    before = target.info("raft")["raft_current_term"]
    for data in recorded:
        throw(target.peer_port, data, linger=0.3)
    assert cluster.node(1).call("SET", "k", "v") == "OK"
    for node in cluster.nodes:
        wait_serving(node)
    assert target.info("raft")["raft_current_term"] == before


def record_first_bytes(cluster) -> list[bytes]:
    """Breaks the links of node 3 and listens to what the others dial it with."""
    recorded: list[bytes] = []
    original = cluster.proxies._pump

    async def pump(reader, writer, source, target):
        if target == 3:
            read = reader.read

            async def tapped(count):
                data = await read(count)
                recorded.append(data)
                return data
            reader.read = tapped
        await original(reader, writer, source, target)

    cluster.proxies._pump = pump
    cluster.proxies.reset_connections()
    wait_until(lambda: len(recorded) > 2, 10, "a new handshake")
    cluster.proxies._pump = original
    return recorded[:5]


class Flood:
    """Silent sockets on a port, always more than it lets in, opened anew as they are closed."""

    SOCKETS = 200

    def __init__(self, port: int):
        self._port = port
        self._ends = threading.Event()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Flood":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        for one in self._open:
            one.close()

    def _run(self) -> None:
        while not self._ends.is_set():
            while len(self._open) < self.SOCKETS and not self._ends.is_set():
                one = socket.socket()
                one.settimeout(0.2)
                try:
                    one.connect(("127.0.0.1", self._port))
                except OSError:  # the node does not run just now
                    one.close()
                    time.sleep(0.001)
                    continue
                one.setblocking(False)
                self._open.append(one)
            self._open = [one for one in self._open if self._is_open(one)]
            time.sleep(0.001)

    @staticmethod
    def _is_open(one: socket.socket) -> bool:
        try:
            closed = one.recv(1) == b""
        except BlockingIOError:
            return True
        except OSError:
            closed = True
        if closed:
            one.close()
        return not closed


def test_a_node_restarted_under_a_flood_of_silent_strangers_links_again(make_cluster):
    """[F51]: it is dialled by the others, and silent sockets take no place that they need."""
    cluster = make_cluster(3)
    victim = cluster.node(3)
    victim.terminate()
    with Flood(victim.peer_port):
        time.sleep(0.5)
        for _ in range(3):
            began = time.monotonic()
            victim.start()
            wait_serving(victim, 15)
            wait_until(lambda: " ".join(victim.info("raft").values()).count("state=connected") == 2,
                       10, "both links")
            print(f"both links after {time.monotonic() - began:.2f} s")
            victim.terminate()


def free_descriptors(node) -> list[int]:
    used = {int(fd) for fd in os.listdir(f"/proc/{node.pid}/fd")}
    return [fd for fd in range(max(used) + 2) if fd not in used]


def test_a_link_that_finds_no_descriptor_is_no_link_and_is_made_later(make_cluster):
    """[F51]: the second descriptor of a link is what it is cut by. Node 1 dials node 2."""
    cluster = make_cluster(2)
    dialer, dialled = cluster.nodes
    dialled.kill()
    wait_until(lambda: "state=disconnected" in " ".join(dialer.info("raft").values()), 10,
               "the link to be down")
    before = resource.prlimit(dialer.pid, resource.RLIMIT_NOFILE)
    time.sleep(0.3)  # the connection that asked is gone
    resource.prlimit(dialer.pid, resource.RLIMIT_NOFILE,
                     (free_descriptors(dialer)[0] + 1, before[1]))
    dialled.start()
    # For the link, or for the file that has to know of the other's new start before there is one.
    said = ("no descriptor for it is left", "was not written, so peers that start are not linked to")
    wait_until(lambda: any(text in dialer.log_text() for text in said), 15,
               "the dialer to say that it has no descriptor")
    resource.prlimit(dialer.pid, resource.RLIMIT_NOFILE, before)
    for node in cluster.nodes:
        wait_serving(node)
    assert dialer.call("SET", "k", "v") == "OK"
