"""Clusters of real kiwi-server processes on this machine."""
from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from .ports import PEER_OFFSET, free_port, free_web_port
from .processes import faketime_environment, server_binary, spawn
from .proxy import PeerProxies
from .resp import Connection, RespError
from .waiting import WaitTimeout, wait_until

SECRET = "the-cluster-secret-of-tests"


class Face:
    """One more client port of a node, and what it shows there."""

    def __init__(self, node: "Node"):
        self.node, self.host, self.port = node, node.host, free_port()

    def connect(self, timeout: float = 15.0) -> Connection:
        return self.node.connect(timeout, self.port)

    def call(self, *args: object, timeout: float = 15.0):
        with self.connect(timeout) as connection:
            return connection.call(*args)


class Node:
    """One node: its address, its directory, and its process while it runs."""

    def __init__(self, node_id: int, root: pathlib.Path, options: dict[str, str]):
        self.id = node_id
        self.host = "127.0.0.1"
        self.port = free_port()
        self.peer_port = self.port + PEER_OFFSET
        self.advertised_peer_port = self.peer_port
        self.web_port = free_web_port()
        self.dir = root / f"node-{node_id}"
        self.group_dir = self.dir / "group-1"
        self.log_path = root / f"node-{node_id}.log"
        self.options = dict(options)
        self.cluster: Face | None = None  # where it shows a Redis Cluster
        self.sentinel: Face | None = None  # and a Sentinel, if asked to
        self.environment: dict[str, str] = {}
        self.open_files: int | None = None  # ulimit -n; None: as this process
        self.clock_file: pathlib.Path | None = None
        self.process: subprocess.Popen | None = None
        self.paused = False
        self.ended_by_us = False

    # ---- process

    def argv(self) -> list[str]:
        options = {"port": self.port, "bind": self.host, "dir": self.dir, "raft.id": self.id,
                   "http-port": self.web_port, "http-bind": self.host,
                   **self.options}
        words = [server_binary()]
        for name, value in options.items():
            if value is not None:
                words += [f"--{name}", str(value)]
        return words

    def start(self) -> "Node":
        assert not self.alive(), f"node {self.id} already runs"
        self.dir.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, **self.environment}
        with open(self.log_path, "ab") as log:
            log.write(f"---- harness starts node {self.id} at {time.time():.3f}: "
                      f"{' '.join(self.argv())}\n".encode())
            log.flush()
            self.process = spawn(self.argv(), env=env, cwd=str(self.dir.parent), output=log,
                                 open_files=self.open_files)
        self.paused = self.ended_by_us = False
        return self

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """kill -9, and waits for the kernel to have done it."""
        if self.process:
            self.ended_by_us = self.ended_by_us or self.process.poll() is None
            self.process.kill()
            self.process.wait()
            self.paused = False

    def terminate(self, timeout: float = 15.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process
        self.ended_by_us = True
        self.process.terminate()
        return self.process.wait(timeout)

    def pause(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        if self.process and self.alive():
            os.kill(self.process.pid, signal.SIGCONT)
        self.paused = False

    def wipe(self) -> None:
        assert not self.alive()
        shutil.rmtree(self.dir)

    def set_clock(self, seconds: float) -> None:
        """Moves the node's wall clock by so much against the true one (faketime clusters only)."""
        assert self.clock_file, "the cluster was not made with faketime=True"
        beside = self.clock_file.with_suffix(".new")
        beside.write_text(f"{seconds:+.3f}s\n")
        beside.rename(self.clock_file)

    # ---- talking to it

    def show_faces(self, sentinel: bool = False) -> "Node":
        self.cluster = Face(self)
        self.options["cluster-client-port"] = self.cluster.port
        if sentinel:
            self.sentinel = Face(self)
            self.options["sentinel-port"] = self.sentinel.port
        return self

    def connect(self, timeout: float = 15.0, port: int | None = None) -> Connection:
        connection = Connection(self.host, port or self.port, timeout=timeout)
        password = self.options.get("requirepass")
        if password:
            connection.must("AUTH", password)
        return connection

    def call(self, *args: object, timeout: float = 15.0):
        with self.connect(timeout) as connection:
            return connection.call(*args)

    def info(self, section: str = "raft", timeout: float = 2.0) -> dict[str, str]:
        """INFO as a dict; {} when the node does not answer."""
        try:
            reply = self.call("INFO", section, timeout=timeout)
        except OSError:
            return {}
        return parse_info(reply)

    def rss_bytes(self) -> int:
        with open(f"/proc/{self.pid}/status") as lines:
            for line in lines:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def log_text(self) -> str:
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""


def parse_info(reply: object) -> dict[str, str]:
    if not isinstance(reply, bytes):
        return {}
    fields = {}
    for line in reply.decode().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition(":")
            fields[name] = value
    return fields


class Cluster:
    """N nodes. Use as a context manager; `keep()` keeps the directory of a failed test."""

    io_engine: str | None = None  # of all that are made from now on (conftest.py)

    def __init__(self, size: int = 3, *, proxies: bool = False, faketime: bool = False,
                 peers: bool = True, faces: bool = False, sentinel: bool = False,
                 options: dict[str, object] | None = None,
                 peer_order=None, name: str = "cluster", directory: str | None = None):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix=f"kiwi-{name}-", dir=directory))
        options = {k: str(v) for k, v in (options or {}).items()}
        if self.io_engine:
            options.setdefault("io-engine", self.io_engine)
        self.nodes = [Node(i, self.root, options) for i in range(1, size + 1)]
        for node in self.nodes if faces or sentinel else []:
            node.show_faces(sentinel)
        self.proxies: PeerProxies | None = None
        self._keep = False
        if proxies:
            self.proxies = PeerProxies([n.id for n in self.nodes], lambda i: self.node(i).pid)
            ports = self.proxies.open({n.id: n.peer_port for n in self.nodes})
            for node in self.nodes:
                node.advertised_peer_port = ports[node.id]
        if faketime:
            for node in self.nodes:
                node.clock_file = self.root / f"clock-{node.id}"
                node.set_clock(0)
                node.environment.update(faketime_environment(str(node.clock_file)))
        if peers:
            self._set_peers(peer_order)

    def _set_peers(self, peer_order) -> None:
        for position, node in enumerate(self.nodes):
            order = peer_order[position] if peer_order else [n.id for n in self.nodes]
            node.options["raft.peers"] = ",".join(self.peer_entry(i) for i in order)
            node.options.setdefault("raft.cluster-secret", SECRET)

    def proxied_host(self, node: Node) -> str:
        """Where others find the node's peer port, if not by raft.peers."""
        return self.proxies.HOST if self.proxies else node.host

    def peer_entry(self, node_id: int) -> str:
        node = self.node(node_id)
        entry = f"{node.id}@{node.host}:{node.port}"
        if node.advertised_peer_port != node.peer_port:
            entry += f"/{node.host}:{node.advertised_peer_port}"
        return entry

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, kind, *_: object) -> None:
        if kind is not None:
            self.keep()
        self.close()

    def keep(self) -> None:
        self._keep = True

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
        if self.proxies:
            self.proxies.close()
        if self._keep:
            print(f"kept {self.root}", flush=True)
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    # ---- nodes

    def node(self, node_id: int) -> Node:
        return self.nodes[node_id - 1]

    def alive(self) -> list[Node]:
        return [n for n in self.nodes if n.alive() and not n.paused]

    def start(self, wait: bool = True) -> "Cluster":
        for node in self.nodes:
            if not node.alive():
                node.start()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout: float = 20.0) -> Node:
        """All running nodes serve linearizable reads; returns the leader."""
        leader = self.wait_leader(timeout)
        for node in self.alive():
            wait_serving(node, timeout)
        return self.wait_leader(timeout) or leader

    # ---- leader

    def leader(self, among=None) -> Node | None:
        """Who says that it leads, in the highest term seen."""
        best, best_term = None, -1
        for node in among or self.alive():
            info = node.info("raft", timeout=1.0)
            term = int(info.get("raft_current_term", -1) or -1)
            if info.get("raft_role") == "leader" and term > best_term:
                best, best_term = node, term
        return best

    def wait_leader(self, timeout: float = 20.0, other_than: Node | None = None,
                    among=None) -> Node:
        def found():
            self._fail_if_all_dead()
            leader = self.leader(among)
            return leader if leader is not None and leader is not other_than else None
        return wait_until(found, timeout, "a leader", interval=0.05)

    def followers(self) -> list[Node]:
        leader = self.wait_leader()
        return [n for n in self.alive() if n is not leader]

    def _fail_if_all_dead(self) -> None:
        if not any(n.alive() for n in self.nodes):
            raise AssertionError("no node is alive:\n" + self.log_tails())

    # ---- progress

    def wait_applied_equal(self, timeout: float = 30.0) -> int:
        """All running nodes applied the same, last, index. Returns it."""
        def equal():
            infos = [n.info("raft") for n in self.alive()]
            applied = {i.get("raft_last_applied_index") for i in infos}
            commits = {i.get("raft_commit_index") for i in infos}
            current = {i.get("raft_current_index") for i in infos}
            one = applied | commits | current
            return int(one.pop() or 0) if len(one) == 1 and None not in one else 0
        return wait_until(equal, timeout, "all nodes to apply the same last index", interval=0.05)

    def log_tails(self, lines: int = 40) -> str:
        parts = []
        for node in self.nodes:
            state = "alive" if node.alive() else (
                f"exit {node.process.returncode}" if node.process else "not started")
            tail = "\n".join(node.log_text().splitlines()[-lines:])
            parts.append(f"==== node {node.id} port {node.port} ({state})\n{tail}")
        return "\n".join(parts)

    def dead_unasked(self) -> list[Node]:
        """Nodes whose process ended by something else than our kill -9 or SIGTERM."""
        return [n for n in self.nodes
                if n.process and n.process.poll() is not None and not n.ended_by_us]


def wait_serving(node: Node, timeout: float = 20.0) -> None:
    """The node answers a linearizable read, or says who does (raft.follower-proxy no)."""
    def serves():
        if not node.alive():
            raise AssertionError(f"node {node.id} ended with {node.process.returncode}:\n"
                                 + "\n".join(node.log_text().splitlines()[-30:]))
        answer = node.call("GET", "harness:probe", timeout=2.0)
        return not isinstance(answer, RespError) or str(answer).startswith("MOVED ")
    try:
        wait_until(serves, timeout, f"node {node.id} to serve", interval=0.03)
    except WaitTimeout as error:
        tail = "\n".join(node.log_text().splitlines()[-30:])
        raise WaitTimeout(f"{error}\n{node.info('raft')}\n{tail}") from None
