"""Clients that follow a cluster which changes under them, and count strictly what they were told.

Each holds one connection to one of the nodes the roster names. A connection that the node ended
between two commands is nothing (pools look before they send, too: `alive`); everything else that is
not an answer is an error, filed under its kind: an error reply by its first word, a command whose
connection broke before its reply came as "lost in flight".
"""
from __future__ import annotations

import random
import select
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from . import fates
from .cluster import Node
from .history import History
from .resp import Connection, RespError
from .workloads import WORKLOADS, Workload


class Roster:
    """The nodes clients may go to, and who of them sits where: a step of a test changes it."""

    def __init__(self, nodes):
        self._lock = threading.Lock()
        self._nodes = list(nodes)
        self.leaving: set[int] = set()  # their clients' errors are told apart

    def nodes(self) -> list[Node]:
        with self._lock:
            return list(self._nodes)

    def set(self, nodes) -> None:
        with self._lock:
            self._nodes = list(nodes)

    def without(self, node: Node) -> list[Node]:
        return [n for n in self.nodes() if n is not node] or self.nodes()


@dataclass
class Span:
    """What happened between two marks."""

    name: str
    began: float
    ended: float = 0.0
    errors: Counter = field(default_factory=Counter)  # of nodes that stayed
    leaving: Counter = field(default_factory=Counter)  # of nodes on their way out
    moves: int = 0  # connections that a node ended between two commands
    answers: int = 0
    longest_gap: float = 0.0  # no client had an answer for so long
    worst: float = 0.0  # the longest wait of one client for its answer
    p99: float = 0.0

    def row(self) -> tuple[str, ...]:
        def told(errors):
            return ", ".join(f"{k} x{n}" for k, n in sorted(errors.items())) or "0"

        return (self.name, f"{self.ended - self.began:.2f} s", str(self.answers),
                told(self.errors), told(self.leaving), str(self.moves),
                f"{self.longest_gap * 1000:.0f} ms", f"{self.worst * 1000:.0f} ms",
                f"{self.p99 * 1000:.1f} ms")


HEAD = ("step", "duration", "answers", "errors", "errors of clients of leaving nodes",
        "moved after a clean end", "longest gap", "longest wait", "p99")


def table(spans) -> str:
    rows = [HEAD, *[span.row() for span in spans]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in rows)


class RoamingClient(threading.Thread):
    def __init__(self, number: int, node: Node, load: "RoamingLoad", workload: Workload, seed: int):
        super().__init__(daemon=True, name=f"roaming-{number}")
        self.number, self.node, self.load, self.workload = number, node, load, workload
        self.rng = random.Random(f"roaming/{seed}/{number}")
        self.stopping = threading.Event()
        self.violation: BaseException | None = None

    def run(self) -> None:
        connection, seat = None, None
        try:
            while not self.stopping.is_set():
                if connection is not None and seat is not self.node:
                    connection.close()  # sent elsewhere
                    connection = None
                if connection is not None and not alive(connection):
                    self.load.moved()
                    connection = self._leave(connection)
                if connection is None:
                    seat = self.node
                    connection = self._connect(seat)
                elif not self._step(connection, seat):
                    connection = self._leave(connection)
        except BaseException as violation:  # kept for the main thread
            self.violation = violation
        finally:
            if connection:
                connection.close()

    def _leave(self, connection: Connection) -> None:
        connection.close()
        self.node = self.rng.choice(self.load.roster.without(self.node))

    def _connect(self, seat: Node) -> Connection | None:
        try:
            return Connection(seat.host, seat.port, timeout=15, connect_timeout=2)
        except OSError:
            self.node = self.rng.choice(self.load.roster.without(self.node))
            self.stopping.wait(0.01)
            return None

    def _step(self, connection: Connection, seat: Node) -> bool:
        """False: this connection is of no use any more. Its node is not self.node: the test may send
        the client elsewhere at any moment, and an error belongs to who answered it."""
        asked = time.monotonic()
        try:
            op = self.workload.step(connection, self.rng, self.number, seat.id)
        except OSError as error:
            self.load.failed(seat, f"lost in flight ({type(error).__name__})")
            return False
        if op is not None and op.fate == fates.OK:
            self.load.answered(asked, time.monotonic())
        elif op is not None and op.note != "insufficient" and "WATCH" not in op.note:
            self.load.failed(seat, RespError(op.note).code)
            self.stopping.wait(0.01)
            return False
        self.stopping.wait(self.rng.random() * 0.02)
        return True


def alive(connection: Connection) -> bool:
    """Nothing is due on an idle connection, so what can be read is its end."""
    readable, _, _ = select.select([connection.socket], [], [], 0)
    return not readable


class RoamingLoad:
    """All clients of a test, over one history, and their figures by span."""

    def __init__(self, roster: Roster, seed: int, count: int = 20,
                 workloads=("register", "counter", "append")):
        self.roster, self.history = roster, History()
        self.workloads = [WORKLOADS[name](self.history) for name in workloads]
        self.spans: list[Span] = []
        self._lock = threading.Lock()
        self._times: list[tuple[float, float]] = []
        self._last = 0.0
        nodes = roster.nodes()
        self.clients = [RoamingClient(i + 1, nodes[i % len(nodes)], self,
                                      self.workloads[i % len(self.workloads)], seed)
                        for i in range(count)]

    def start(self, name: str) -> "RoamingLoad":
        self._last = time.monotonic()
        self.mark(name)
        for client in self.clients:
            client.start()
        return self

    def mark(self, name: str | None) -> None:
        """Ends the span under way and begins one of this name."""
        with self._lock:
            now = time.monotonic()
            if self.spans:
                self._close(self.spans[-1], now)
            if name is not None:
                self.spans.append(Span(name, now))
            self._times = []

    def _close(self, span: Span, now: float) -> None:
        span.ended = now
        span.longest_gap = max(span.longest_gap, now - max(self._last, span.began))
        waits = sorted(returned - asked for asked, returned in self._times)
        if waits:
            span.worst, span.p99 = waits[-1], waits[int(len(waits) * 0.99)]

    def answered(self, asked: float, returned: float) -> None:
        with self._lock:
            span = self.spans[-1]
            span.answers += 1
            span.longest_gap = max(span.longest_gap, returned - self._last)
            self._last = returned
            self._times.append((asked, returned))

    def failed(self, node: Node, kind: str) -> None:
        with self._lock:
            span = self.spans[-1]
            (span.leaving if node.id in self.roster.leaving else span.errors)[kind] += 1

    def moved(self) -> None:
        with self._lock:
            self.spans[-1].moves += 1

    def spread(self) -> None:
        """Everybody to their share of the nodes of the roster."""
        nodes = self.roster.nodes()
        for position, client in enumerate(self.clients):
            client.node = nodes[position % len(nodes)]

    def stop(self) -> None:
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join(30)
            assert not client.is_alive(), f"{client.name} hangs on node {client.node.id}"
        self.mark(None)
        broken = [f"{c.name} on node {c.node.id}: {c.violation!r}" for c in self.clients
                  if c.violation]
        assert not broken, broken

    def errors(self) -> Counter:
        total: Counter = Counter()
        for span in self.spans:
            total.update(span.errors)
        return total

    def read_everything(self, connection: Connection) -> None:
        for workload in self.workloads:
            for key in workload.keys_used():
                workload.final_read(connection, key)
