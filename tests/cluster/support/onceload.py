"""Clients that count on tokens: each command is repeated, after every answer that says nothing, on any
node until its fate is known. Some cut their own connection while it is under way.

With `tokens` off the same clients repeat the bare command: what they then do twice shows that the
load can tell.
"""
from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field

from .cluster import Cluster
from .resp import RespError

SCRIPT = "redis.call('RPUSH', KEYS[2], ARGV[1]) return redis.call('INCR', KEYS[1])"
KINDS = ("incr", "push", "block", "script")
# Certainly not applied by any attempt with this token, and never will be.
REFUSED = ("ONCECLOCK", "ONCEEXPIRED")


@dataclass
class Tally:
    """What was asked of one kind, by what became of it."""
    counted: int = 0
    unknown: int = 0   # its answer was ONCEEXPIRED after an attempt that nobody heard of
    refused: int = 0
    repeats: int = 0
    elements: set = field(default_factory=set)
    maybe: set = field(default_factory=set)


class OnceClient(threading.Thread):
    def __init__(self, cluster: Cluster, number: int, seed: int, stop: threading.Event, *,
                 tokens: bool = True, cut_percent: int = 5):
        super().__init__(daemon=True)
        self.cluster, self.number, self.stop = cluster, number, stop
        self.random = random.Random(f"once/{seed}/{number}")
        self.tokens, self.cut_percent = tokens, cut_percent
        self.tallies = {kind: Tally() for kind in KINDS}
        self.wrong: list[str] = []
        self.connection = None
        self.asked = 0

    def run(self):
        while not self.stop.is_set():
            kind = self.random.choice(KINDS)
            self.asked += 1
            self._once(kind, f"{self.number}:{self.asked}")
        self._leave()

    # ---- one command, until its fate is known

    def _once(self, kind, element):
        tally = self.tallies[kind]
        token = f"{int(time.time() * 1000)}-{element}"
        first, maybe = True, False
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            tally.repeats += 0 if first else 1
            first = False
            reply = self._attempt(kind, element, token)
            if reply is None or (isinstance(reply, RespError) and reply.code == "TIMEOUT"):
                maybe = True
                continue
            if isinstance(reply, RespError) and reply.code in REFUSED:
                if maybe:
                    tally.unknown += 1
                    tally.maybe.add(element)
                else:
                    tally.refused += 1
                return
            if isinstance(reply, RespError) and reply.code != "ONCEDONE":
                if reply.code.startswith("ONCE") or reply.code in ("ERR", "WRONGTYPE"):
                    self.wrong.append(f"{kind} {element}: {reply.text}")
                    return
                time.sleep(0.02)  # no leader, loading: certainly not applied
                self._leave()
                continue
            tally.counted += 1
            tally.elements.add(element)
            return
        self.wrong.append(f"{kind} {element}: no answer in a minute")

    def _attempt(self, kind, element, token):
        """The reply, or None: nobody knows."""
        try:
            if self.connection is None:
                node = self.random.choice(self.cluster.nodes)
                if not node.alive():
                    time.sleep(0.01)
                    return RespError("CLUSTERDOWN that node is down")
                self.connection = node.connect(timeout=self.random.uniform(0.3, 3))
            commands = self._commands(kind, element, token)
            if self.random.randrange(100) < self.cut_percent:
                for command in commands:
                    self.connection.send(*command)
                time.sleep(self.random.choice((0, 0, 0.001, 0.005)))
                self._leave()
                return None
            return self.connection.pipeline(commands)[-1]
        except OSError:
            self._leave()
            return None

    def _commands(self, kind, element, token):
        once = ("KIWI.ONCE", token) if self.tokens else ()
        if kind == "incr":
            return [(*once, "INCR", "once:incr")]
        if kind == "push":
            return [(*once, "LPUSH", "once:push", element)]
        if kind == "script":
            return [(*once, "EVAL", SCRIPT, 2, "once:script", "once:scripted", element)]
        begin = [("MULTI",), once] if once else [("MULTI",)]
        return [*begin, ("INCR", "once:block"), ("RPUSH", "once:blocked", element), ("EXEC",)]

    def _leave(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class OnceLoad:
    def __init__(self, cluster: Cluster, seed: int, clients: int, *, tokens: bool = True):
        self.stop = threading.Event()
        self.cluster = cluster
        self.clients = [OnceClient(cluster, n, seed, self.stop, tokens=tokens)
                        for n in range(clients)]

    def start(self):
        for client in self.clients:
            client.start()
        return self

    def finish(self):
        self.stop.set()
        for client in self.clients:
            client.join(90)
            assert not client.is_alive(), "a client is stuck"

    def total(self, kind) -> Tally:
        whole = Tally()
        for client in self.clients:
            one = client.tallies[kind]
            whole.counted += one.counted
            whole.unknown += one.unknown
            whole.refused += one.refused
            whole.repeats += one.repeats
            whole.elements |= one.elements
            whole.maybe |= one.maybe
        return whole

    def problems(self) -> list[str]:
        """What is not as it must be: sums between what counted and what may have, each element once."""
        found = [text for client in self.clients for text in client.wrong]
        node = self.cluster.wait_leader()
        for kind, counter, elements in (("incr", "once:incr", None), ("push", None, "once:push"),
                                        ("block", "once:block", "once:blocked"),
                                        ("script", "once:script", "once:scripted")):
            tally = self.total(kind)
            if counter is not None:
                value = int(node.call("GET", counter) or 0)
                if not tally.counted <= value <= tally.counted + tally.unknown:
                    found.append(f"{kind}: {tally.counted} counted and {tally.unknown} may have, and "
                                 f"the counter is {value}")
            if elements is not None:
                there = [e.decode() for e in node.call("LRANGE", elements, 0, -1)]
                doubled = len(there) - len(set(there))
                if doubled:
                    found.append(f"{kind}: {doubled} elements are there twice")
                if missing := tally.elements - set(there):
                    found.append(f"{kind}: {len(missing)} elements are lost")
                if strange := set(there) - tally.elements - tally.maybe:
                    found.append(f"{kind}: {len(strange)} elements were refused and are there")
        return found
