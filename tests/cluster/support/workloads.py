"""What clients do under faults, by the type of what they do it to."""
from __future__ import annotations

from . import fates, models
from .history import History, Op
from .resp import Connection, RespError, encode
from .streams import StreamWorkload
from .workload import Workload, run


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


class DeadlineWorkload(Workload):
    """A register whose value goes after some milliseconds unless somebody saves it in time."""

    name = "deadline"
    slots = 3
    ops_per_key = 120
    longest_ms = 120

    def choose(self, key, rng):
        kind = rng.random()
        if kind < 0.45:
            return "read", None, *self.read(key)
        milliseconds = rng.choice((0, rng.randrange(5, 40), rng.randrange(5, self.longest_ms)))
        deadline = ("PX", milliseconds) if milliseconds else ()
        if kind < 0.65:
            value = next(self.values)
            milliseconds = milliseconds or 20
            return "set", (value, milliseconds), ("SET", key, value, "PX", milliseconds), _nothing
        if kind < 0.73:
            return "persist", None, ("PERSIST", key), bool
        if kind < 0.81:
            return "extend", None, ("PEXPIRE", key, milliseconds or 20), bool
        if kind < 0.88:
            what = "extend" if milliseconds else "persist"
            return "fetch", what, ("GETEX", key, *(deadline or ("PERSIST",))), _integer
        value = next(self.values)
        if kind < 0.96:
            return "xx", (value, milliseconds), ("SET", key, value, "XX", *deadline), bool
        return "swap", value, ("SET", key, value, "GET"), _integer

    def read(self, key):
        return ("GET", key), _integer


class PipelineWorkload(Workload):
    """Reads and writes of a few registers in one pipeline, whose order counts (F6)."""

    name = "pipeline"
    ops_per_key = 60  # pipelines

    def step(self, connection, rng, client, node):
        place = (client, next(self.values))
        keys = [self.key(rng) for _ in range(rng.choice((1, 1, 2)))]
        ops, wire = [], []
        for position in range(rng.randrange(2, 11)):
            key = rng.choice(keys)
            action, argument, command, decode = self.choose(key, rng)
            op = self.history.invoke(client, key, action, argument, node)
            op.place = (f"{place[0]}.{place[1]}", position)
            ops.append((op, decode))
            wire.append(encode(*command))
        return _run_all(self.history, connection, ops, b"".join(wire))

    def choose(self, key, rng):
        kind = rng.random()
        if kind < 0.55:
            return "read", None, *self.read(key)
        value = next(self.values)
        if kind < 0.8:
            return "write", value, ("SET", key, value), _nothing
        return "swap", value, ("GETSET", key, value), _integer

    def read(self, key):
        return ("GET", key), _integer


class LongReadWorkload(Workload):
    """First and last element of a big list, always written together; read alone, and with all the
    others, which takes so long that the server puts the read aside."""

    name = "longread"
    slots = 1
    ops_per_key = 250
    elements = 21_000  # above 20,000 a read is long (actors/node/storage.cpp)

    def __init__(self, history, tag=""):
        super().__init__(history, tag)
        self._filled: set[str] = set()

    def _fill(self, connection, key: str) -> None:
        """Once, whatever comes of it: a list that is not there takes no writes."""
        with self._lock:
            if key in self._filled:
                return
            self._filled.add(key)
        reply = connection.call("RPUSH", key, *([0] * self.elements))
        if isinstance(reply, RespError):
            fates.of_error(reply)

    def step(self, connection, rng, client, node):
        key = self.key(rng)
        self._fill(connection, key)
        if rng.random() < 0.5:
            return self._write(connection, self.history.invoke(client, key, "write",
                                                               next(self.values), node))
        ops, wire = [], []
        place = f"{client}.{next(self.values)}"
        for position, (command, decode) in enumerate((self.read(key), self._read_first(key))):
            op = self.history.invoke(client, key, "read", None, node)
            op.place = (place, position)
            ops.append((op, decode))
            wire.append(encode(*command))
        return _run_all(self.history, connection, ops, b"".join(wire))

    def _write(self, connection, op: Op) -> Op:
        block = [("MULTI",), ("LSET", op.key, 0, op.argument), ("LSET", op.key, -1, op.argument),
                 ("EXEC",)]
        try:
            reply = connection.pipeline(block)[-1]
        except OSError as error:
            self.history.info(op, repr(error))
            raise
        if isinstance(reply, list) and isinstance(reply[0], RespError):
            self.history.fail(op, reply[0].text)  # no such key
        else:
            self.history.settle(op, reply, _nothing)
        return op

    def read(self, key):
        return ("LRANGE", key, 0, -1), _both_ends

    def _read_first(self, key):
        return ("LINDEX", key, 0), lambda reply: _integer(reply) or None


class QueueWorkload(Workload):
    """Jobs that are pushed on one node and waited for on others, and lists that turn round: each job
    is had once, in its order, and nobody is told nil beside one (F31)."""

    name = "queue"
    slots = 2
    ops_per_key = 120

    def choose(self, key, rng):
        kind = rng.random()
        seconds = f"{rng.uniform(0.02, 0.4):.3f}"
        if kind < 0.45:
            value = next(self.values)
            return "push", value, ("RPUSH", key, value), _integer
        if kind < 0.8:
            return "pop", 1, ("BLPOP", key, seconds), lambda reply: _integers(reply and reply[1:])
        if kind < 0.88:
            count = rng.randrange(1, 4)
            return ("pop", count, ("BLMPOP", seconds, 1, key, "LEFT", "COUNT", count),
                    lambda reply: _integers(reply and reply[1]))
        if kind < 0.95:
            return ("rotate", None, ("BLMOVE", key, key, "LEFT", "RIGHT", seconds),
                    lambda reply: _integers(reply and [reply]))
        return "read", None, *self.read(key)

    def step(self, connection, rng, client, node):
        action, argument, command, decode = self.choose(self.key(rng), rng)
        key = next(word for word in command if str(word).startswith(f"{self.name}:"))
        op = self.history.invoke(client, key, action, argument, node)
        return run(self.history, op, connection, command, decode)

    def read(self, key):
        return ("LRANGE", key, 0, -1), _integers


def _run_all(history: History, connection: Connection, ops, wire: bytes) -> Op:
    """ops: [(op, decode)] in the order of the pipeline. The last one's op is returned."""
    settled = 0
    try:
        connection.send_raw(wire)
        for op, decode in ops:
            history.settle(op, connection.read(), decode)
            settled += 1
    except OSError as error:
        for op, _ in ops[settled:]:
            history.info(op, repr(error))
        raise
    return ops[-1][0]


def _both_ends(reply):
    """The value at both ends, 0 being none; what differs is a result that nobody wrote."""
    if not reply:
        return None
    ends = int(reply[0]), int(reply[-1])
    return ends[0] or None if ends[0] == ends[1] else ends


def _nothing(reply):
    return None


def _balance(reply) -> int:
    """An account that was lost has a balance that none can have: for the checker to find."""
    return -1 if reply is None else int(reply)


def _integers(reply):
    """nil is none of them."""
    return tuple(int(item) for item in reply or ())


def _integer(reply):
    return None if reply is None else int(reply)


WORKLOADS = {w.name: w for w in (RegisterWorkload, CounterWorkload, AppendWorkload, SetWorkload,
                                 TransferWorkload, DeadlineWorkload, PipelineWorkload,
                                 LongReadWorkload, QueueWorkload, StreamWorkload)}


def model_of(key: str) -> models.Model:
    kind = key.split(":", 1)[0]
    if kind == "transfer":
        return models.Bank(TransferWorkload.accounts, TransferWorkload.opening)
    return models.MODELS[kind]()
