"""scripts/backup while the cluster serves, and its restore into new clusters: content compared."""
from __future__ import annotations

import os
import pathlib
import subprocess
import threading

from support.ports import free_port, free_ports
from support.processes import server_binary
from support.resp import Connection
from support.waiting import wait_until

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


def run(script, *words, ok=True):
    done = subprocess.run([SCRIPTS / script, *map(str, words)], text=True, timeout=180,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, "KIWI_SERVER": server_binary()})
    assert (done.returncode == 0) == ok, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def content(connection, databases=(0, 3)):
    """Everything a client can see but the growing sequence: (db, key) -> type, value, deadline."""
    found = {}
    for db in databases:
        connection.must("SELECT", db)
        for key in connection.must("KEYS", "*"):
            if key.startswith(b"w:"):
                continue
            kind = connection.must("TYPE", key)
            value = {"string": lambda: connection.must("GET", key),
                     "list": lambda: connection.must("LRANGE", key, 0, -1),
                     "set": lambda: sorted(connection.must("SMEMBERS", key))}[str(kind)]()
            found[db, key] = (kind, value, connection.must("PEXPIRETIME", key))
    connection.must("SELECT", 0)
    return found


def fill(connection):
    for i in range(300):
        connection.must("SET", f"s:{i}", "x" * (i * 7 % 500))
    connection.must("SET", "big", os.urandom(3 << 20))
    connection.must("RPUSH", "list", *range(400))
    connection.must("LPOP", "list", 5)
    connection.must("SADD", "set", *[f"m{i}" for i in range(300)])
    connection.must("SET", "soon", "gone", "PX", 1)
    connection.must("SET", "late", "kept", "PX", 86_400_000)
    connection.must("SELECT", 3)
    connection.must("SET", "other", "database")
    connection.must("SELECT", 0)


class Sequence(threading.Thread):
    """w:1, w:2, ... one after the other through one node."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.acked, self.stopped = node, 0, threading.Event()

    def run(self):
        with self.node.connect() as c:
            while not self.stopped.is_set():
                c.must("SET", f"w:{self.acked + 1}", self.acked + 1)
                self.acked += 1

    def stop(self):
        self.stopped.set()
        self.join(30)


def prefix_length(connection):
    keys = connection.must("KEYS", "w:*")
    length = len(keys)
    assert {f"w:{i}".encode() for i in range(1, length + 1)} == set(keys), "no prefix of the writes"
    return length


def test_a_backup_of_a_follower_under_load_restores_into_one_node_and_into_three(make_cluster,
                                                                                 tmp_path):
    cluster = make_cluster(3)
    source = cluster.followers()[0]
    with source.connect() as c:
        fill(c)
        wanted = content(c)
    assert (0, b"soon") not in wanted and (3, b"other") in wanted and len(wanted) > 300
    writer = Sequence(cluster.wait_leader())
    writer.start()
    wait_until(lambda: writer.acked > 20, 20, "writes before the backup")
    before = writer.acked
    said = run("backup", "--port", source.port, tmp_path / "monday")
    assert "bytes in" in said
    after = writer.acked
    wait_until(lambda: writer.acked > after + 20, 20, "writes to go on after the backup")
    writer.stop()
    assert "exists already" in run("backup", "--port", source.port, tmp_path / "monday", ok=False)
    dbid = source.info()["raft_dbid"]
    for size in (1, 3):
        base = free_ports(3)
        run("cluster", "start", "--restore", tmp_path / "monday", "--nodes", size, "--port", base,
            "--dir", tmp_path / f"new-{size}", "--no-build")
        try:
            connections = [Connection("127.0.0.1", base + i, timeout=15) for i in range(size)]
            for connection in connections:
                assert content(connection) == wanted
                assert before <= prefix_length(connection) <= writer.acked
            # A cluster of its own that takes writes and does not know the old one.
            assert connections[-1].must("SET", "after", "restore") == "OK"
            assert connections[0].must("GET", "after") == b"restore"
            info = connections[0].must("INFO", "raft").decode()
            assert dbid not in info and f"raft_num_voting_nodes:{size}" in info
        finally:
            run("cluster", "stop", "--dir", tmp_path / f"new-{size}")
    assert "has data of its own" in run("cluster", "start", "--restore", tmp_path / "monday", "--dir",
                                        tmp_path / "new-1", ok=False)


def test_backup_mistakes_get_a_sentence(shared, tmp_path):
    assert "no node answers" in run("backup", "--port", free_port(), tmp_path / "x", ok=False)
    assert "there is no directory" in run("backup", "--port", shared.node(1).port,
                                          tmp_path / "a" / "b", ok=False)
