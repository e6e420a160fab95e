"""Keys at their deadline: read from every node while somebody saves them at the last moment.

Each key is set once with a deadline, saved at most once around it (PERSIST, PEXPIRE, GETEX, SET XX,
SET GET), and read from all nodes all the while. Whether it was saved decides what may be read:

* saved: it never was gone, so nobody may be told nil, before or after;
* not saved: it was gone, so nobody may be told the old value afterwards;
* in any case, nobody may be told the old value after somebody was told nil.
"""
from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from . import fates
from .resp import Connection, RespError, encode

LEAD = 0.012  # a key is read from so many seconds before its deadline
TRAIL = 0.030  # until so many after it
SPREAD = 0.5  # the deadlines of one batch lie so far apart
FIRST = 0.25
LONG_MS = 100_000
OLD, NEW = b"old", b"new"


def saver(kind: str, key: str) -> tuple:
    return {"persist": ("PERSIST", key), "pexpire": ("PEXPIRE", key, LONG_MS),
            "expire": ("EXPIRE", key, LONG_MS // 1000), "getex": ("GETEX", key, "PX", LONG_MS),
            "getex-persist": ("GETEX", key, "PERSIST"), "set-xx": ("SET", key, NEW, "XX"),
            "set-xx-get": ("SET", key, NEW, "XX", "GET"), "set-get": ("SET", key, NEW, "GET")}[kind]


KINDS = ("persist", "pexpire", "expire", "getex", "getex-persist", "set-xx", "set-xx-get", "set-get")


@dataclass
class Key:
    name: str
    kind: str
    deadline: float  # as this process guesses it
    set_at: float = 0.0  # when SET had been answered
    asked: float = 0.0
    answered: float = 0.0
    saved: bool | None = None  # None: not known
    reads: list = field(default_factory=list)  # (asked, answered, value, node)


@dataclass
class Result:
    keys: int = 0
    saved: int = 0
    gone: int = 0
    unknown: int = 0
    reads: int = 0
    reads_of_nil: int = 0
    violations: list[str] = field(default_factory=list)
    violated: int = 0  # keys
    kinds: Counter = field(default_factory=Counter)  # of the violated keys

    def add(self, other: "Result") -> None:
        for name in ("keys", "saved", "gone", "unknown", "reads", "reads_of_nil", "violated"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.violations = (self.violations + other.violations)[:20]
        self.kinds.update(other.kinds)

    def text(self) -> str:
        kinds = f" ({', '.join(f'{k} {n}' for k, n in self.kinds.most_common())})" if self.kinds else ""
        return (f"{self.keys} keys: {self.saved} saved, {self.gone} gone, {self.unknown} unknown; "
                f"{self.reads} reads, {self.reads_of_nil} of nil; violated {self.violated}{kinds}")


def was_saved(kind: str, reply) -> bool | None:
    if isinstance(reply, RespError):
        fates.of_error(reply)
        return None
    if kind in ("persist", "pexpire", "expire"):
        return reply == 1
    if kind == "set-xx":
        return reply == "OK"
    return reply == OLD


def judge(key: Key) -> list[str]:
    reads = [r for r in key.reads if r[0] > key.set_at]
    nils = [r for r in reads if r[2] is None]
    said = []

    def tell(what: str, read) -> None:
        said.append(f"{key.name} {key.kind} asked {key.asked:.4f} answered {key.answered:.4f} "
                    f"saved {key.saved}: {what}: node {read[3]} {read[0]:.4f}..{read[1]:.4f}")
    if key.saved and nils:
        tell("told nil although it never was gone", nils[0])
    if key.saved is False:
        for read in reads:
            if read[2] == OLD and read[0] > key.answered:
                tell("the old value after it was gone", read)
                break
            if read[2] is None and key.kind == "set-get" and read[0] > key.answered:
                tell("nil after a SET", read)
                break
    first_nil = min((r[1] for r in nils), default=float("inf"))
    back = [r for r in reads if r[2] == OLD and r[0] > first_nil]
    if back:
        tell(f"came back after nil at {first_nil:.4f}", back[0])
    return said


class Batch:
    """Some keys from their SET to the last read. Threads: one sets and saves for each node, two
    read."""

    def __init__(self, addresses, keys: int, seed: str):
        self.addresses = addresses
        self.rng = random.Random(seed)
        begin = time.monotonic() + FIRST
        self.keys = [Key(f"deadline:{seed}:{i}", self.rng.choice(KINDS), begin + SPREAD * i / keys)
                     for i in range(keys)]
        self.over = begin + SPREAD + TRAIL
        self.moments = [key.deadline for key in self.keys]
        self.broken: list[str] = []

    def run(self) -> Result:
        threads = [threading.Thread(target=self._guarded, args=(what, node))
                   for node in range(len(self.addresses)) for what in (self._save, self._read, self._read)]
        self.ready = threading.Barrier(len(threads))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._result()

    def _guarded(self, what, node: int) -> None:
        try:
            with Connection(*self.addresses[node]) as connection:
                what(connection, node)
        except (OSError, threading.BrokenBarrierError) as error:
            self.ready.abort()
            self.broken.append(f"node {node + 1}: {error!r}")

    def _save(self, connection: Connection, node: int) -> None:
        mine = self.keys[node::len(self.addresses)]
        for at in range(0, len(mine), 50):
            part = mine[at : at + 50]
            now = time.monotonic()
            replies = connection.pipeline([("SET", key.name, OLD, "PX", max(1, int((key.deadline - now) * 1000)))
                                           for key in part])
            for key, reply in zip(part, replies):
                key.set_at = time.monotonic() if reply == "OK" else float("inf")
        self.ready.wait()
        # The clock starts at the entry's stamp, which is between asking and answer.
        plan = sorted((key.deadline + self.rng.uniform(-0.010, 0.004), i) for i, key in enumerate(mine))
        position = 0
        while position < len(plan):
            wait = plan[position][0] - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            due = [mine[i] for at, i in plan[position : position + 8] if at <= time.monotonic()]
            position += len(due)
            if not due:
                continue
            now = time.monotonic()
            for key in due:
                key.asked = now
            connection.send_raw(b"".join(encode(*saver(key.kind, key.name)) for key in due))
            for key in due:
                key.saved = was_saved(key.kind, connection.read())
                key.answered = time.monotonic()

    def _read(self, connection: Connection, node: int) -> None:
        self.ready.wait()
        begin = 0
        while (now := time.monotonic()) < self.over:
            while begin < len(self.keys) and self.moments[begin] < now - TRAIL:
                begin += 1
            end = begin
            while end < len(self.keys) and self.moments[end] < now + LEAD:
                end += 1
            if begin == end:
                time.sleep(0.001)
                continue
            part = self.keys[begin:end]
            asked = time.monotonic()
            connection.send_raw(b"".join(encode("GET", key.name) for key in part))
            for key in part:
                value = connection.read()
                if not isinstance(value, RespError):
                    key.reads.append((asked, time.monotonic(), value, node + 1))

    def _result(self) -> Result:
        result = Result(keys=len(self.keys))
        for key in self.keys:
            result.saved += key.saved is True
            result.gone += key.saved is False
            result.unknown += key.saved is None
            result.reads += len(key.reads)
            result.reads_of_nil += sum(read[2] is None for read in key.reads)
            said = judge(key)
            result.violations += said
            if said:
                result.violated += 1
                result.kinds[key.kind] += 1
        result.violations += [f"could not be done: {text}" for text in self.broken]
        return result


def _some_batches(addresses, keys: int, seed: str, per_batch: int, results) -> None:
    total = Result()
    done = 0
    while done < keys:
        count = min(per_batch, keys - done)
        total.add(Batch(addresses, count, f"{seed}:{done}").run())
        done += count
    results.put(total)


def run(cluster, keys: int, seed: int, *, processes: int = 2, per_batch: int = 250) -> Result:
    """Over all nodes of a cluster that runs."""
    addresses = [(node.host, node.port) for node in cluster.nodes]
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    share = -(-keys // processes)
    workers = [context.Process(target=_some_batches, daemon=True,
                               args=(addresses, share, f"{seed}:{i}", per_batch, results))
               for i in range(processes)]
    for worker in workers:
        worker.start()
    total = Result()
    for _ in workers:
        total.add(results.get(timeout=600 + keys / 50))
    for worker in workers:
        worker.join()
    return total
