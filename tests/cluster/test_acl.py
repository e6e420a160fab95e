"""Users: made on one node they count on all; what was taken from one is taken everywhere, whatever the
network does; the first password, the way back in, files; no password is kept anywhere."""
from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import threading
import time

import pytest

from support import oracle
from support.ports import free_ports
from support.processes import server_binary
from support.resp import Connection, RespError
from support.waiting import wait_until
from test_diff_script import ROOT

FREE = ["on", "allkeys", "allchannels", "+@all"]


def login(node, user: str, password: str, timeout: float = 5.0) -> Connection:
    connection = Connection(node.host, node.port, timeout=timeout)
    assert connection.call("AUTH", user, password) == "OK"
    return connection


def refused(reply: object, *words: str) -> bool:
    return isinstance(reply, RespError) and reply.code in words


def test_a_user_that_was_made_on_one_node_logs_in_on_any_other_at_once(shared):
    """A refusal asks the cluster first, so no node answers WRONGPASS for what another acknowledged."""
    for round_ in range(20):
        maker, other = (shared.node(1 + (round_ + i) % 3) for i in range(2))
        assert maker.call("ACL", "SETUSER", "ann", "reset", "on", f">p{round_}", "~ann:*", "+get", "+set") == "OK"
        with login(other, "ann", f"p{round_}") as ann:
            assert ann.call("SET", "ann:1", round_) == "OK"
            assert refused(ann.call("SET", "bob:1", "x"), "NOPERM")
            assert refused(ann.call("DEL", "ann:1"), "NOPERM")
        assert refused(other.call("AUTH", "ann", "wrong"), "WRONGPASS")
    assert shared.node(2).call("ACL", "DELUSER", "ann") == 1


def test_the_connections_of_a_user_that_is_deleted_end_on_every_node(shared):
    shared.node(1).call("ACL", "SETUSER", "gone", *FREE, "nopass")
    connections = [login(node, "gone", "x") for node in shared.nodes]
    waiting = login(shared.node(2), "gone", "x")
    waiting.send("BLPOP", "nothing-is-here", 0)
    time.sleep(0.2)
    assert shared.node(3).call("ACL", "DELUSER", "gone") == 1
    for connection in [*connections, waiting]:
        def ended(which=connection):
            try:
                which.call("PING")
                return False
            except (OSError, EOFError):
                return True
        wait_until(ended, 10, "the connection to end")


def test_subscribers_without_the_right_are_closed_on_every_node(shared):
    shared.node(1).call("ACL", "SETUSER", "ears", "reset", "on", "nopass", "+@all", "&a", "&b")
    listening = [login(node, "ears", "x") for node in shared.nodes]
    for connection in listening:
        assert refused(connection.call("SUBSCRIBE", "c"), "NOPERM")
        connection.call("SUBSCRIBE", "b")
    shared.node(2).call("ACL", "SETUSER", "ears", "resetchannels", "&a")
    for connection in listening:
        with pytest.raises((OSError, EOFError)):
            connection.read()
    shared.node(2).call("ACL", "DELUSER", "ears")


class Worker(threading.Thread):
    """Works as one user through one node, and keeps when each operation was asked and succeeded."""

    def __init__(self, node, number: int, seed: int):
        super().__init__(daemon=True)
        self.node, self.number = node, number
        self.rng = random.Random(seed)
        self.succeeded: list[tuple[float, float, str]] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        connection = None
        while not self.stopping.is_set():
            try:
                if connection is None:
                    connection = login(self.node, "bob", "x", timeout=3.0)
                command = self.rng.choice([("INCR", f"bob:{self.number}"), ("GET", f"bob:{self.number}"),
                                           ("EVAL", "return redis.call('incr', KEYS[1])", 1,
                                            f"bob:{self.number}")])
                asked = time.monotonic()
                reply = connection.call(*command)
                if not isinstance(reply, RespError):
                    self.succeeded.append((asked, time.monotonic(), command[0]))
            except (OSError, EOFError, AssertionError):
                connection = None
                time.sleep(0.02)


def test_nothing_of_a_user_takes_effect_once_its_deletion_was_acknowledged(make_cluster, seed):
    """[SERVICES 5.2] While bob works through every node, some of them cut off, he is deleted. Whatever he
    asked after the acknowledgement must fail, and the counters must stand still from then on."""
    rng = random.Random(seed)
    cluster = make_cluster(3, proxies=True, options={"raft.response-timeout": "3000"})
    for round_ in range(4):
        cluster.proxies.heal()
        cluster.wait_ready()
        assert cluster.node(1).call("ACL", "SETUSER", "bob", *FREE, "nopass") == "OK"
        workers = [Worker(node, i, rng.random()) for i, node in enumerate(cluster.nodes * 2)]
        for worker in workers:
            worker.start()
        time.sleep(0.5)
        cut_off = rng.choice(cluster.nodes)
        cluster.proxies.isolate(cut_off.id)
        rest = [node for node in cluster.nodes if node is not cut_off]
        leader = cluster.wait_leader(10, among=rest)
        time.sleep(rng.random() * 0.3)
        assert leader.call("ACL", "DELUSER", "bob") == 1
        acknowledged = time.monotonic()
        counters = [leader.call("GET", f"bob:{i}") for i in range(len(workers))]
        time.sleep(0.5)
        cluster.proxies.heal()
        time.sleep(1.0)
        for worker in workers:
            worker.stopping.set()
        for worker in workers:
            worker.join(10)
        late = [done for worker in workers for done in worker.succeeded if done[0] > acknowledged]
        assert not late, (round_, late)
        assert sum(len(worker.succeeded) for worker in workers) > 20
        cluster.wait_ready()
        assert [cluster.node(1).call("GET", f"bob:{i}") for i in range(len(workers))] == counters


def test_the_first_password_is_the_clusters(make_cluster):
    """A node's requirepass counts from its first client on, becomes the cluster's, and stays when the
    option is gone or another."""
    cluster = make_cluster(3, options={"requirepass": "first"})
    for node in cluster.nodes:
        assert refused(Connection(node.host, node.port).call("GET", "a"), "NOAUTH")
    wait_until(lambda: b"user default on #" in cluster.node(1).call("ACL", "LIST")[0], 10, "the seed")
    cluster.wait_applied_equal()
    node = cluster.node(2)
    node.terminate()
    node.options["requirepass"] = "other"
    node.start()
    node.options["requirepass"] = "first"
    wait_until(lambda: node.call("GET", "a") is None, 20, "the node to serve")
    assert refused(Connection(node.host, node.port).call("AUTH", "other"), "WRONGPASS")
    assert "what this node's options say of the user default is ignored" in node.log_text()
    assert cluster.node(3).call("CONFIG", "SET", "requirepass", "second") == "OK"
    for each in cluster.nodes:
        each.options["requirepass"] = "second"
        assert each.call("GET", "a") is None
        assert each.call("CONFIG", "GET", "requirepass")[1] not in (b"first", b"second", b"other")


def test_who_is_locked_out_gets_in_with_the_data_directory(make_cluster):
    cluster = make_cluster(3)
    operator = cluster.node(1).connect()
    assert operator.call("ACL", "SETUSER", "default", "resetpass", "-@all", "resetkeys", ">nobody-knows") == "OK"
    assert refused(operator.call("GET", "a"), "NOPERM")
    assert refused(Connection(cluster.node(2).host, cluster.node(2).port).call("GET", "a"), "NOAUTH")
    node = cluster.node(3)
    node.terminate()
    node.options["raft.reset-default-user"] = "back-again"
    node.start()

    def back():
        with Connection(node.host, node.port, timeout=2.0) as connection:
            return connection.call("AUTH", "back-again") == "OK" and connection.call("SET", "a", 1) == "OK"
    wait_until(back, 20, "the default user to be back")
    with login(cluster.node(1), "default", "back-again") as other:
        assert other.call("GET", "a") == b"1"


def test_an_acl_file_seeds_a_cluster_and_is_loaded_and_saved(make_cluster, tmp_path):
    path = tmp_path / "users.acl"
    path.write_text("user default on nopass ~* &* +@all\nuser ann on >pw ~a* +@read +set\n")
    cluster = make_cluster(3, options={"aclfile": str(path)})
    wait_until(lambda: b"ann" in cluster.node(3).call("ACL", "USERS"), 10, "the seed")
    with login(cluster.node(2), "ann", "pw") as ann:
        assert ann.call("SET", "a1", 1) == "OK"
    assert cluster.node(1).call("ACL", "SETUSER", "ann", "-set") == "OK"
    assert cluster.node(1).call("ACL", "SAVE") == "OK"
    saved = path.read_text()
    assert hashlib.sha256(b"pw").hexdigest() in saved and "pw " not in saved
    assert path.stat().st_mode & 0o077 == 0
    path.write_text(saved.replace("user ann", "user eve"))
    assert cluster.node(2).call("ACL", "LOAD") == "OK"
    assert cluster.node(3).call("ACL", "USERS") == [b"default", b"eve"]
    path.write_text("user eve +nothing\n")
    reply = cluster.node(1).call("ACL", "LOAD")
    assert "Unknown command or category name in ACL" in str(reply)
    assert cluster.node(1).call("ACL", "USERS") == [b"default", b"eve"]


def test_a_start_with_users_that_are_none_is_refused(tmp_path):
    config = tmp_path / "kiwi.conf"

    def start(text: str) -> subprocess.CompletedProcess:
        config.write_text(f"dir {tmp_path}/data\nport 29999\n{text}\n")
        return subprocess.run([server_binary(), str(config)], capture_output=True, text=True, timeout=20)
    for text, word in (("user ann +nothing", "+nothing"), ("user ann on\nuser ann off", "Duplicate user"),
                       ("user ann on\naclfile /etc/passwd", "aclfile"), ("aclfile /nowhere", "/nowhere"),
                       ("rename-command nothing x", "rename-command")):
        done = start(text)
        assert done.returncode in (1, 78) and word in done.stderr, done
        assert not (tmp_path / "data").exists()


def test_no_password_is_kept_anywhere(make_cluster, seed, tmp_path):
    """Not in a file of dir, not in the log, not in SLOWLOG, MONITOR or the audit log."""
    audit = tmp_path / "audit"
    cluster = make_cluster(3, options={"slowlog-log-slower-than": "0", "audit-log": str(audit),
                                       "loglevel": "debug", "raft.log-max-file-size": "1mb"})
    secrets = [f"hush-{seed}-{i}" for i in range(6)]
    node = cluster.node(1)
    monitor = node.connect()
    monitor.call("MONITOR")
    with node.connect() as c:
        c.must("ACL", "SETUSER", "ann", "on", f">{secrets[0]}", f">{secrets[1]}", "~*", "+@all")
        c.call("ACL", "SETUSER", "ann", "foo", f">{secrets[2]}")
        c.call("ACL", "SETUSER", "ann", f"(>{secrets[2]})")
        c.must("ACL", "SETUSER", "ann", f"<{secrets[1]}")
        c.pipeline([("MULTI",), ("ACL", "SETUSER", "eve", f">{secrets[3]}"), ("EXEC",)])
        c.must("CONFIG", "SET", "requirepass", secrets[4])
        c.call("AUTH", "ann", secrets[5])
        c.must("AUTH", "ann", secrets[0])
        c.call("HELLO", 3, "AUTH", "ann", secrets[0])
        c.must("RAFT.DEBUG", "COMPACT")
        shown = repr(c.must("SLOWLOG", "GET", 128)) + repr(c.must("ACL", "LOG"))
    monitor.close()
    time.sleep(1.0)
    found = [secret for secret in secrets if secret in shown]
    for each in cluster.nodes:
        each.terminate()
        for root, _, names in os.walk(each.dir):
            for name in names:
                with open(os.path.join(root, name), "rb") as file:
                    data = file.read()
                found += [(name, secret) for secret in secrets if secret.encode() in data]
        log = "\n".join(line for line in each.log_text().splitlines() if not line.startswith("---- harness"))
        found += [("log", secret) for secret in secrets if secret in log]
    found += [("audit", secret) for secret in secrets if secret in audit.read_text()]
    assert not found, found


def test_users_reach_a_node_that_gets_a_snapshot_and_one_that_is_restored(make_cluster, tmp_path):
    cluster = make_cluster(3, options={"raft.log-keep-entries": "0"})
    leader = cluster.wait_leader()
    late = cluster.followers()[0]
    late.kill()
    leader.call("ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all")
    for i in range(20):
        leader.call("SET", f"k{i}", "x" * 100)
    leader.call("RAFT.DEBUG", "COMPACT")
    late.start()

    def ann_reads() -> bool:
        with Connection(late.host, late.port, timeout=5.0) as ann:
            reply = ann.call("AUTH", "ann", "pw")
            assert reply == "OK" or refused(reply, "LOADING"), reply  # never WRONGPASS
            return reply == "OK" and ann.call("GET", "k0") == b"x" * 100
    wait_until(ann_reads, 20, "ann on the late node")
    backup = tmp_path / "backup"
    assert leader.call("RAFT.BACKUP", str(backup)) == str(backup).encode()
    target = tmp_path / "restored"
    done = subprocess.run([server_binary(), "--restore", str(backup), "--dir", str(target)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done


def test_the_audit_log_says_who_did_what(make_cluster, tmp_path):
    audit = tmp_path / "audit"
    cluster = make_cluster(1, peers=False, options={"audit-log": str(audit)})
    node = cluster.node(1)
    node.call("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "-get", "~*")
    with login(node, "ann", "pw") as ann:
        ann.call("GET", "a")
        ann.call("CONFIG", "SET", "timeout", 100)
        ann.call("CONFIG", "SET", "timeout", "none")

    def lines():
        return [json.loads(line) for line in audit.read_text().splitlines()]
    wait_until(lambda: len([line for line in lines() if line["event"] == "outcome"]) >= 3, 10, "the lines")
    events = [(line["event"], line["user"]) for line in lines()]
    assert ("login", "ann") in events and ("refused", "ann") in events and ("command", "default") in events
    outcomes = [line["outcome"] for line in lines() if line["event"] == "outcome" and line["user"] == "ann"]
    assert outcomes[0] == "ok" and outcomes[1].startswith("ERR CONFIG SET failed")
    assert all(line["address"].startswith("127.0.0.1:") for line in lines())


def test_renamed_commands(make_cluster, tmp_path):
    cluster = make_cluster(1, peers=False, start=False)
    node = cluster.node(1)
    config = tmp_path / "kiwi.conf"
    config.write_text("rename-command flushall \"\"\nrename-command config secret-config\n"
                      f"port {node.port}\ndir {node.dir}\n")
    process = subprocess.Popen([server_binary(), str(config)], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: node.call("PING", timeout=1.0) == "PONG", 20, "the node to answer")
        assert "unknown command" in str(node.call("FLUSHALL"))
        assert "unknown command" in str(node.call("CONFIG", "GET", "port"))
        assert node.call("SECRET-CONFIG", "GET", "port") == [b"port", str(node.port).encode()]
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(oracle.why_not() is not None, reason=str(oracle.why_not()))
def test_random_rules_let_users_do_what_they_do_in_redis(seed):
    done = subprocess.run([ROOT / "scripts" / "diff", "--users", "--seconds", "15", "--seed", str(seed),
                           "--port", str(free_ports(6))],
                          env={**os.environ, "KIWI_SERVER": str(server_binary())},
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
