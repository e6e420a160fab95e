"""Client threads: each holds one connection to one node and never leaves that node."""
from __future__ import annotations

import random
import threading
import time
from collections import Counter

from . import fates
from .cluster import Cluster, Node
from .history import History
from .resp import Connection, RespError, try_connect
from .workloads import WORKLOADS, Workload


class Client(threading.Thread):
    """Runs a workload's steps until told to stop. Contract violations end it and are kept."""

    def __init__(self, number: int, node: Node, workload: Workload, seed: int, think_seconds: float):
        super().__init__(daemon=True, name=f"client-{number}")
        self.number, self.node, self.workload = number, node, workload
        self.rng = random.Random(f"{seed}/{number}")
        self.think_seconds = think_seconds
        self.stopping = threading.Event()
        self.violation: BaseException | None = None
        self.refused_connections = 0
        self.broken_connections: list[tuple[float, str]] = []

    def run(self) -> None:
        connection = None
        try:
            while not self.stopping.is_set():
                connection = connection or self._connect()
                if connection is not None and not self._step(connection):
                    connection = None
        except BaseException as violation:  # kept for the main thread
            self.violation = violation
        finally:
            if connection:
                connection.close()

    def _connect(self) -> Connection | None:
        connection = try_connect(self.node.host, self.node.port)
        if connection is None:
            self.refused_connections += 1
            self.stopping.wait(0.05)
        return connection

    def _step(self, connection: Connection) -> bool:
        try:
            op = self.workload.step(connection, self.rng, self.number, self.node.id)
        except OSError as error:
            self.broken_connections.append((self.workload.history.now(), repr(error)))
            connection.close()
            return False
        refused = op is None or op.fate != fates.OK
        pause = self.rng.random() * self.think_seconds * 2
        self.stopping.wait(max(pause, 0.01) if refused else pause)
        return True


class Load:
    """All clients of a run over one history."""

    def __init__(self, cluster: Cluster, seed: int, workloads=tuple(WORKLOADS),
                 clients_per_node: int = len(WORKLOADS), think_seconds: float = 0.004, tag: str = ""):
        self.history = History()
        self.workloads = [WORKLOADS[name](self.history, tag) for name in workloads]
        self.clients = []
        for position, node in enumerate(cluster.nodes):
            for i in range(clients_per_node):
                workload = self.workloads[(position * clients_per_node + i) % len(self.workloads)]
                number = len(self.clients) + 1
                self.clients.append(Client(number, node, workload, seed, think_seconds))

    def start(self) -> "Load":
        for client in self.clients:
            client.start()
        return self

    def stop(self, timeout: float = 30.0) -> None:
        for client in self.clients:
            client.stopping.set()
        deadline = time.monotonic() + timeout
        for client in self.clients:
            client.join(max(0.0, deadline - time.monotonic()))
            assert not client.is_alive(), f"{client.name} hangs on node {client.node.id}"

    def violations(self) -> list[str]:
        return [f"{c.name} on node {c.node.id}: {c.violation!r}" for c in self.clients if c.violation]

    def read_everything(self, connection: Connection) -> None:
        for workload in self.workloads:
            for key in workload.keys_used():
                workload.final_read(connection, key)


class Incrementer(threading.Thread):
    """INCRs one counter as fast as answers come; for exactly-once counts. Park it before its node
    is killed and every increment it made has a known fate."""

    def __init__(self, node: Node, key: str):
        super().__init__(daemon=True, name=f"incr-{node.id}-{key}")
        self.node, self.key = node, key
        self.acknowledged = 0
        self.unknown = 0
        self.errors: Counter = Counter()
        self.last_success = 0.0
        self.longest_wait = 0.0
        self._go = threading.Event()
        self._go.set()
        self._idle = threading.Event()
        self.stopping = False

    def run(self) -> None:
        connection = None
        while not self.stopping:
            if not self._go.is_set():
                if connection:
                    connection.close()
                connection = None
                self._idle.set()
                self._go.wait(0.5)
                continue
            self._idle.clear()
            try:
                connection = connection or Connection(self.node.host, self.node.port)
            except OSError as error:
                self.errors[f"connect: {type(error).__name__}"] += 1
                time.sleep(0.05)
                continue
            if not self._increment(connection):
                connection = None
        self._idle.set()
        if connection:
            connection.close()

    def _increment(self, connection: Connection) -> bool:
        asked = time.monotonic()
        try:
            reply = connection.call("INCR", self.key)
        except OSError as error:
            self.unknown += 1
            self.errors[f"connection: {error!r}"] += 1
            connection.close()
            return False
        self.longest_wait = max(self.longest_wait, time.monotonic() - asked)
        if isinstance(reply, RespError):
            self.unknown += fates.of_error(reply) == fates.INFO
            self.errors[reply.text] += 1
        else:
            self.acknowledged += 1
            self.last_success = time.monotonic()
        return True

    def park(self) -> None:
        self._go.clear()

    def wait_parked(self, timeout: float = 20.0) -> None:
        assert self._idle.wait(timeout), f"{self.name} hangs"

    def unpark(self) -> None:
        self._idle.clear()
        self._go.set()

    def stop(self) -> None:
        self.stopping = True
        self._go.set()


def park_clients_of(clients, node: Node) -> None:
    chosen = [c for c in clients if c.node is node]
    for client in chosen:
        client.park()
    for client in chosen:
        client.wait_parked()


def unpark_clients_of(clients, node: Node) -> None:
    for client in clients:
        if client.node is node:
            client.unpark()


def total(clients) -> tuple[int, int, Counter]:
    errors: Counter = Counter()
    for client in clients:
        errors.update(client.errors)
    return sum(c.acknowledged for c in clients), sum(c.unknown for c in clients), errors
