"""What clients do under faults: one operation at a time, recorded with its fate.

Keys rotate: after `ops_per_key` operations a slot moves to a fresh key, so the history of each
object stays short enough to search, and unknown operations stay few per object.
"""
from __future__ import annotations

import itertools
import random
import threading

from .history import History, Op
from .resp import Connection


class Workload:
    """Shared by all its clients. `step` runs one operation on a connection; OSError passes through
    after the operation was recorded (as unknown, if it may have been sent)."""

    name = ""
    slots = 3
    ops_per_key = 200

    def __init__(self, history: History, tag: str = ""):
        self.history = history
        self.tag = tag
        self.values = itertools.count(1)
        self._lock = threading.Lock()
        self._keys = [f"{self.name}:{tag}{slot}:0" for slot in range(self.slots)]
        self._used = [0] * self.slots

    def key(self, rng: random.Random) -> str:
        slot = rng.randrange(self.slots)
        with self._lock:
            self._used[slot] += 1
            if self._used[slot] > self.ops_per_key:
                self._used[slot] = 1
                base, _, number = self._keys[slot].rpartition(":")
                self._keys[slot] = f"{base}:{int(number) + 1}"
            return self._keys[slot]

    def step(self, connection: Connection, rng: random.Random, client: int, node: int) -> Op:
        action, argument, command, decode = self.choose(self.key(rng), rng)
        op = self.history.invoke(client, command[1], action, argument, node)
        return run(self.history, op, connection, command, decode)

    def choose(self, key: str, rng: random.Random):
        """(action, argument, command, decode of the reply)"""
        raise NotImplementedError

    def final_read(self, connection: Connection, key: str) -> Op:
        """A read after everything is over, so that the last state is part of the history."""
        op = self.history.invoke(0, key, "read", None)
        return run(self.history, op, connection, *self.read(key))

    def read(self, key: str):
        """(command, decode)"""
        raise NotImplementedError

    def keys_used(self) -> list[str]:
        return sorted({op.key for op in self.history.ops if op.key.startswith(self.name + ":")})


def run(history: History, op: Op, connection: Connection, command, decode) -> Op:
    try:
        reply = connection.call(*command)
    except OSError as error:
        history.info(op, repr(error))
        raise
    history.settle(op, reply, decode)
    return op
