"""What clients do under faults: one operation at a time, recorded with its fate.

Keys rotate: after `ops_per_key` operations a slot moves to a fresh key, so the history of each
object stays short enough to search, and unknown operations stay few per object.
"""
from __future__ import annotations

import itertools
import random
import threading

from . import fates, models
from .history import History, Op
from .resp import Connection, RespError


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


class RegisterWorkload(Workload):
    name = "register"

    def choose(self, key, rng):
        if rng.random() < 0.5:
            return "read", None, *self.read(key)
        value = next(self.values)
        kind = rng.random()
        if kind < 0.5:
            return "write", value, ("SET", key, value), lambda reply: None
        command = ("SET", key, value, "GET") if kind < 0.8 else ("GETSET", key, value)
        return "swap", value, command, _integer

    def read(self, key):
        return ("GET", key), _integer


class CounterWorkload(Workload):
    name = "counter"

    def choose(self, key, rng):
        if rng.random() < 0.3:
            return "read", None, *self.read(key)
        if rng.random() < 0.7:
            return "add", 1, ("INCR", key), _integer
        amount = rng.randrange(2, 9)
        return "add", amount, ("INCRBY", key, amount), _integer

    def read(self, key):
        return ("GET", key), lambda reply: int(reply or 0)


class AppendWorkload(Workload):
    name = "append"

    def choose(self, key, rng):
        if rng.random() < 0.4:
            return "read", None, *self.read(key)
        value = next(self.values)
        return "append", value, ("RPUSH", key, value), _integer

    def read(self, key):
        return ("LRANGE", key, 0, -1), lambda reply: tuple(int(item) for item in reply)


class SetWorkload(Workload):
    name = "set"

    def choose(self, key, rng):
        kind = rng.random()
        if kind < 0.4:
            return "read", None, *self.read(key)
        value = next(self.values)
        if kind < 0.5 and value > 6:
            value -= rng.randrange(1, 6)  # somebody's recent member, maybe of another key
            return "remove", value, ("SREM", key, value), _integer
        return "add", value, ("SADD", key, value), _integer

    def read(self, key):
        return ("SMEMBERS", key), lambda reply: frozenset(int(item) for item in reply)


class TransferWorkload(Workload):
    """Money between accounts: WATCH, read, MULTI, move, EXEC. The object is the whole bank."""

    name = "transfer"
    slots = 1
    accounts = 5
    opening = 100
    ops_per_key = 150

    def __init__(self, history: History, tag: str = ""):
        super().__init__(history, tag)
        self._opened: set[tuple[int, str]] = set()

    def _account(self, key: str, number: int) -> str:
        return f"{{{key}}}:{number}"

    def _open(self, connection: Connection, key: str, client: int) -> bool:
        """All accounts or none. Every client does it before its first use of a bank; a late copy of
        anybody's finds the accounts there and does nothing."""
        if (client, key) in self._opened:
            return True
        pairs = [word for i in range(self.accounts)
                 for word in (self._account(key, i), self.opening)]
        if isinstance(connection.call("MSETNX", *pairs), RespError):
            return False
        self._opened.add((client, key))
        return True

    def read(self, key):
        return (("MGET", *[self._account(key, i) for i in range(self.accounts)]),
                lambda reply: tuple(_balance(item) for item in reply))

    def step(self, connection, rng, client, node):
        key = self.key(rng)
        if not self._open(connection, key, client):
            return None
        if rng.random() < 0.4:
            op = self.history.invoke(client, key, "read", None, node)
            return self._read(op, connection, rng)
        source, target = rng.sample(range(self.accounts), 2)
        amount = rng.randrange(1, 20)
        op = self.history.invoke(client, key, "transfer", (source, target, amount), node)
        return self._transfer(op, connection)

    def _read(self, op: Op, connection, rng) -> Op:
        command, decode = self.read(op.key)
        if rng.random() < 0.5:
            return run(self.history, op, connection, command, decode)
        block = [("MULTI",), *[("GET", name) for name in command[1:]], ("EXEC",)]
        try:
            reply = connection.pipeline(block)[-1]
        except OSError as error:
            self.history.info(op, repr(error))
            raise
        self.history.settle(op, reply, decode)
        return op

    def _transfer(self, op: Op, connection) -> Op:
        source, target, amount = op.argument
        names = [self._account(op.key, source), self._account(op.key, target)]
        try:
            watched, balances = connection.pipeline([("WATCH", *names), ("MGET", *names)])
        except OSError as error:
            self.history.fail(op, f"before EXEC: {error!r}")
            raise
        for reply in (watched, balances):
            if isinstance(reply, RespError):
                fates.of_error(reply)
                self.history.fail(op, f"before EXEC: {reply}")
                connection.call("UNWATCH")
                return op
        if _balance(balances[0]) < amount:
            self.history.fail(op, "insufficient")
            connection.call("UNWATCH")
            return op
        return self._exec(op, connection, names, amount)

    def _exec(self, op: Op, connection, names, amount) -> Op:
        block = [("MULTI",), ("DECRBY", names[0], amount), ("INCRBY", names[1], amount), ("EXEC",)]
        try:
            reply = connection.pipeline(block)[-1]
        except OSError as error:
            self.history.info(op, repr(error))
            raise
        if reply is None:
            self.history.fail(op, "aborted by WATCH")
        else:
            self.history.settle(op, reply, tuple)
        return op


def _balance(reply) -> int:
    """An account that was lost has a balance that none can have: for the checker to find."""
    return -1 if reply is None else int(reply)


def _integer(reply):
    return None if reply is None else int(reply)


WORKLOADS = {w.name: w for w in (RegisterWorkload, CounterWorkload, AppendWorkload, SetWorkload,
                                 TransferWorkload)}


def model_of(key: str) -> models.Model:
    kind = key.split(":", 1)[0]
    if kind == "transfer":
        return models.Bank(TransferWorkload.accounts, TransferWorkload.opening)
    return models.MODELS[kind]()
