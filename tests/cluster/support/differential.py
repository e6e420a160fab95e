"""Random command sequences and the comparison of two servers' replies, byte for byte.

Where Redis itself promises less than bytes (order of KEYS and SMEMBERS, remaining TTLs), the
comparison knows it by command name; everything else must be equal bytes.
"""
from __future__ import annotations

import random
import re
import time

from .resp import Connection, RespError, encode

KEYS = ["a", "b", "c", "d", "e", "list1", "list2", "set1", "set2", "num", "", b"bin\r\n\x00\xff",
        "{tag}x", "sp ace"]
VALUES = ["", "0", "1", "-1", "10", "3.5", "hello", "x" * 200, b"\x00\x01\r\n", "1e3", " 1", "+1",
          "01", "nan", "inf", "-inf", "9223372036854775807", "-9223372036854775808",
          "9223372036854775808", "1.0e-5", "0x10", "3.0000000000000000001", "é"]
INTEGERS = ["0", "1", "-1", "2", "5", "100", "-7", "9223372036854775807", "-9223372036854775808",
            "9223372036854775808", "x", "", "1.5", " 3", "+4", "007"]
FLOATS = ["0.1", "1", "-2.5", "1e5", "3.14159265358979", "1e-10", "1e300", "abc", "nan", "inf", "",
          "0.2", "5.0e3", "-0"]
HELLO_ID = re.compile(rb"(\$5\r\nproto\r\n:[23]\r\n\$2\r\nid\r\n):[0-9]+")
UNORDERED = {"KEYS", "SMEMBERS"}
TTLS = {"TTL", "PTTL"}
CONTAINERS = {"command", "config", "client"}  # their bare form lists the server itself
TTL_TOLERANCE = {"TTL": 1, "PTTL": 1500}


class Generator:
    """Commands of one seed. Deadlines are far away or past, never near: two servers do not share
    an instant."""

    def __init__(self, seed: int, implemented=None):
        self.rng = random.Random(seed)
        self.in_multi = False
        self.watching = False
        self.now = int(time.time())
        table = {name[4:]: getattr(self, name) for name in dir(self) if name.startswith("cmd_")}
        self.table = {name: make for name, make in table.items()
                      if implemented is None or name.upper() in implemented}
        self.names = sorted(self.table)

    def key(self):
        return self.rng.choice(KEYS)

    def keys(self, most=4):
        return [self.key() for _ in range(self.rng.randint(1, most))]

    def value(self):
        return self.rng.choice(VALUES)

    def integer(self):
        return self.rng.choice(INTEGERS)

    def case(self, word: str) -> str:
        return self.rng.choice([word, word.lower(), word.title()])

    def options(self, choices, most=2):
        """Up to `most` of the option groups, often contradictory."""
        words = []
        for _ in range(self.rng.choice([0, 0, 1, 1, most])):
            words += self.rng.choice(choices)()
        return words

    def next(self) -> list:
        command = self.draw()
        self.observe(command)
        return command

    def observe(self, command) -> None:
        """Follows what the server makes of MULTI and WATCH."""
        name, bare = _name(command), len(command) == 1
        if name == "MULTI" and bare:
            self.in_multi = True
        elif name in ("EXEC", "DISCARD") and bare and self.in_multi:
            self.in_multi = self.watching = False
        elif name == "WATCH" and not bare and not self.in_multi:
            self.watching = True
        elif name == "UNWATCH" and bare and not self.in_multi:
            self.watching = False

    def draw(self) -> list:
        rng = self.rng
        if self.in_multi and rng.random() < 0.2:
            return [rng.choice(["EXEC", "EXEC", "EXEC", "DISCARD"])]
        if rng.random() < 0.04:
            return ["MULTI"]
        name = rng.choice(self.names)
        command = [self.case(name.upper())] + self.table[name]()
        if rng.random() < 0.03 and name not in CONTAINERS:
            return self.damaged(command)
        return command

    def damaged(self, command):
        kind = self.rng.randrange(4)
        if kind == 0:
            return command[:1]
        if kind == 1:
            return command + [self.value()]
        if kind == 2:
            return command[:-1] or ["PING"]
        return [self.rng.choice(["NOSUCH", "SETT", "get2"])] + command[1:]

    # ---- strings

    def cmd_get(self): return [self.key()]
    def cmd_strlen(self): return [self.key()]
    def cmd_getdel(self): return [self.key()]
    def cmd_getset(self): return [self.key(), self.value()]
    def cmd_setnx(self): return [self.key(), self.value()]
    def cmd_append(self): return [self.key(), self.value()]
    def cmd_incr(self): return [self.key()]
    def cmd_decr(self): return [self.key()]
    def cmd_incrby(self): return [self.key(), self.integer()]
    def cmd_decrby(self): return [self.key(), self.integer()]
    def cmd_incrbyfloat(self): return [self.key(), self.rng.choice(FLOATS)]
    def cmd_mget(self): return self.keys()
    def cmd_setex(self): return [self.key(), self.rng.choice(["1000", "0", "-1", "x"]), self.value()]
    def cmd_psetex(self): return [self.key(), self.rng.choice(["900000", "0", "-5"]), self.value()]

    def cmd_mset(self):
        return [word for key in self.keys() for word in (key, self.value())]

    cmd_msetnx = cmd_mset

    def deadline(self):
        return self.rng.choice([["EX", "5000"], ["PX", "5000000"], ["EXAT", str(self.now + 9000)],
                                ["PXAT", str((self.now + 9000) * 1000)], ["EX", "0"], ["EX", "x"],
                                ["PX", "-1"], ["EX"], ["EX", "9223372036854775807"]])

    def cmd_set(self):
        return [self.key(), self.value()] + self.options([
            lambda: [self.case("NX")], lambda: [self.case("XX")], lambda: [self.case("GET")],
            lambda: ["KEEPTTL"], self.deadline, lambda: ["BOGUS"]], 3)

    def cmd_getex(self):
        return [self.key()] + self.options([lambda: ["PERSIST"], self.deadline], 2)

    # ---- keys

    def cmd_del(self): return self.keys()
    def cmd_unlink(self): return self.keys()
    def cmd_exists(self): return self.keys()
    def cmd_type(self): return [self.key()]
    def cmd_ttl(self): return [self.key()]
    def cmd_pttl(self): return [self.key()]
    def cmd_persist(self): return [self.key()]
    def cmd_dbsize(self): return []
    def cmd_keys(self): return [self.rng.choice(["*", "?", "list*", "[a-c]", "[^a]", "s*1", "\\*", ""])]
    def cmd_select(self): return [self.rng.choice(["0", "1", "2", "0", "0", "16", "-1", "x"])]

    def seconds(self):
        """Hardly ever the same twice: GT and LT of equal deadlines depend on the millisecond."""
        return self.rng.choice([str(self.rng.randint(5000, 100000)), "0", "-1", "x", "9223372036854775807",
                                "-9223372036854775808"])

    def condition(self):
        return self.options([lambda: ["NX"], lambda: ["XX"], lambda: ["GT"], lambda: ["LT"],
                             lambda: ["HUH"]], 2)

    def cmd_expire(self): return [self.key(), self.seconds()] + self.condition()
    def cmd_pexpire(self): return \
        [self.key(), self.rng.choice([str(self.rng.randint(8000000, 90000000)), "0", "-1", "x"])] + self.condition()

    def cmd_expireat(self):
        return [self.key(), self.rng.choice([str(self.now + 7000), "1", "-1", "x"])] + self.condition()

    def cmd_pexpireat(self):
        return [self.key(), self.rng.choice([str((self.now + 7000) * 1000), "1"])] + self.condition()

    # ---- lists and sets

    def cmd_rpush(self): return [self.key()] + [self.value() for _ in range(self.rng.randint(1, 4))]
    cmd_lpush = cmd_rpush
    cmd_sadd = cmd_rpush
    cmd_srem = cmd_rpush
    def cmd_llen(self): return [self.key()]
    def cmd_scard(self): return [self.key()]
    def cmd_smembers(self): return [self.key()]
    def cmd_lrange(self): return [self.key(), self.integer(), self.integer()]

    # ---- connection and transactions

    def cmd_ping(self): return self.rng.choice([[], ["hi"], [b"\r\n"]])
    def cmd_echo(self): return [self.value()]
    def cmd_watch(self): return self.keys()
    def cmd_unwatch(self): return []
    def cmd_exec(self): return []
    def cmd_discard(self): return []

    def cmd_client(self):
        return self.rng.choice([["GETNAME"], ["SETNAME", "me"], ["SETNAME", "a b"], ["NOPE"], ["ID", "x"],
                                ["KILL", "1.1.1.1:1"], ["KILL", "ID", "x"], ["LIST", "TYPE", "huh"]])

    def cmd_config(self):
        return self.rng.choice([["GET"], ["SET", "no-such", "1"], ["NOPE"], ["RESETSTAT", "x"],
                                ["GET", "no-such-parameter"]])

    def cmd_command(self):
        return self.rng.choice([["NOPE"], ["COUNT", "x"], ["INFO", "nosuchcommand"],
                                ["DOCS", "nosuchcommand"]])

    def cmd_flushdb(self):
        """Not between WATCH and EXEC: there a flush aborts EXEC even where the watched key never
        existed (a difference README names), and from then on the two servers' states differ."""
        choices = [["SYNC"], ["ASYNC"], [], ["HUH"], ["SYNC", "ASYNC"]]
        return self.rng.choice(choices) if self.rng.random() < 0.15 and not self.watching else ["HUH"]


def equivalent(command, left, right) -> bool:
    """Equal up to what Redis does not promise for this command."""
    name = _name(command)
    if isinstance(left, RespError) or isinstance(right, RespError) or type(left) != type(right):
        return left == right and type(left) == type(right)
    if name in UNORDERED and isinstance(left, list):
        return sorted(map(_sortable, left)) == sorted(map(_sortable, right))
    if name in TTLS and isinstance(left, int) and left > 0 and right > 0:
        return abs(left - right) <= TTL_TOLERANCE[name]
    return left == right


def _sortable(value):
    return value if isinstance(value, bytes) else repr(value).encode()


def _name(command) -> str:
    word = command[0]
    return (word.decode("latin1") if isinstance(word, bytes) else word).upper()


class Difference(AssertionError):
    pass


class Pair:
    """Two servers fed the same commands. `subject` is ours, `oracle` is redis-server."""

    def __init__(self, subject: Connection, oracle: Connection):
        self.subject, self.oracle = subject, oracle
        self.sent: list = []
        self.queued: list = []

    def run(self, commands) -> None:
        data = b"".join(encode(*command) for command in commands)
        self.subject.send_raw(data)
        self.oracle.send_raw(data)
        for command in commands:
            self.sent.append(command)
            self._compare(command, self.subject.read_raw(), self.oracle.read_raw())

    def _compare(self, command, ours: bytes, theirs: bytes) -> None:
        queued = self._track(command, theirs)
        ours, theirs = (HELLO_ID.sub(rb"\1", reply) for reply in (ours, theirs))
        if ours == theirs:
            return
        left, right = parse(ours), parse(theirs)
        if ours[:1] == theirs[:1]:
            if queued is not None and isinstance(left, list) and len(left) == len(right):
                if all(equivalent(c, a, b) for c, a, b in zip(queued, left, right)):
                    return
            elif equivalent(command, left, right):
                return
        raise Difference(self._explain(command, ours, theirs))

    def _track(self, command, reply: bytes):
        """Follows MULTI by the oracle's replies; returns the block at EXEC."""
        name = _name(command)
        if reply == b"+QUEUED\r\n":
            self.queued.append(command)
            return None
        if name in ("EXEC", "DISCARD", "MULTI", "RESET") and reply[:1] != b"-":
            block, self.queued = self.queued, []
            return block if name == "EXEC" else None
        if name == "EXEC" and reply.startswith(b"-EXECABORT"):
            self.queued = []
        return None

    def _explain(self, command, ours: bytes, theirs: bytes) -> str:
        before = "\n".join(f"    {c}" for c in self.sent[-16:-1])
        return (f"command {len(self.sent)}: {command}\n  kiwi:  {ours[:600]!r}\n"
                f"  redis: {theirs[:600]!r}\n  before it:\n{before}")


def parse(raw: bytes):
    reader = Connection.__new__(Connection)
    reader.buffer, reader.position = bytearray(raw), 0
    return reader._read_value()


STATE_READS = {b"string": ("GET",), b"list": ("LRANGE", 0, -1), b"set": ("SMEMBERS",)}


def whole_state(pair: Pair, databases=(0, 1, 2)) -> None:
    """Compares every key of the pool by content and deadline."""
    for database in databases:
        pair.run([["SELECT", str(database)], ["DBSIZE"], ["KEYS", "*"]])
        for key in KEYS:
            kind = pair.oracle.call("TYPE", key)
            pair.run([["TYPE", key], ["PTTL", key]])
            read = STATE_READS.get(kind.encode())
            if read:
                pair.run([[read[0], key, *read[1:]]])
