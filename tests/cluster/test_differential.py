"""Kiwi against the real redis-server 7.0: the same commands, the same bytes."""
from __future__ import annotations

import pytest

from support import oracle
from support.differential import Generator, Pair, whole_state
from support.resp import RespError

pytestmark = pytest.mark.skipif(oracle.why_not() is not None, reason=str(oracle.why_not()))

COMMANDS = """PING ECHO QUIT RESET HELLO AUTH SELECT TIME INFO COMMAND CLIENT CONFIG READONLY
READWRITE GET SET SETEX PSETEX SETNX GETDEL GETEX GETSET MGET MSET MSETNX INCR DECR INCRBY DECRBY
INCRBYFLOAT APPEND STRLEN DEL UNLINK EXISTS TYPE KEYS SCAN DBSIZE FLUSHDB FLUSHALL EXPIRE PEXPIRE
EXPIREAT PEXPIREAT TTL PTTL PERSIST RPUSH LPUSH LRANGE LLEN SADD SREM SMEMBERS SCARD MULTI EXEC
DISCARD WATCH UNWATCH""".split()


@pytest.fixture(scope="module")
def redis_server():
    server = oracle.RedisServer()
    yield server
    server.close()


@pytest.fixture
def pair(single, redis_server):
    subject, judge = single.node(1).connect(), redis_server.connect()
    for connection in (subject, judge):
        connection.must("FLUSHALL")
    yield Pair(subject, judge)
    subject.close()
    judge.close()


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("offset", range(3))
def test_random_commands_get_the_same_bytes(pair, seed, protocol, offset):
    generator = Generator(seed + offset)
    if protocol == 3:
        pair.subject.must("HELLO", 3)
        pair.oracle.must("HELLO", 3)
    for _ in range(100):
        pair.run([generator.next() for _ in range(20)])
    pair.run([["DISCARD"]])
    whole_state(pair)


@pytest.mark.parametrize("commands", [
    ["SET k v EXAT 1", "EXISTS k", "GET k", "TYPE k", "TTL k"],
    ["SET k v", "EXPIRE k 100", "SET k w KEEPTTL", "TTL k", "SET k x", "TTL k", "SET k x GET EX 100"],
    ["SET k v", "GETEX k EXAT 1", "EXISTS k"],
    ["SET k v", "EXPIRE k 100 GT", "TTL k", "EXPIRE k 100 LT", "TTL k", "EXPIRE k 50 GT", "TTL k",
     "EXPIRE k 500 NX", "EXPIRE k 500 XX GT", "TTL k", "EXPIRE k 1 NX XX", "EXPIRE k 1 GT LT"],
    ["INCRBYFLOAT f 0.1", "INCRBYFLOAT f 0.2", "INCRBYFLOAT f 1e20", "INCRBYFLOAT f -1e20",
     "INCRBYFLOAT f 3.0e3", "SET f 10.50", "INCRBYFLOAT f 0.1", "SET f 5.0e3", "INCRBYFLOAT f 2.0e2",
     "INCRBYFLOAT f 1e-17", "SET f 1.7e308", "INCRBYFLOAT f 1.7e308", "GET f"],
    ["MULTI", "MULTI", "SET k 1", "WATCH k", "EXEC", "GET k"],
    ["MULTI", "SET k", "EXEC", "EXEC", "DISCARD"],
    ["MULTI", "GET k", "HELLO 3", "EXEC"],
    ["MULTI", "SELECT 1", "SET k 1", "EXEC", "GET k", "SELECT 0", "GET k"],
    ["SET k 10", "MULTI", "INCR k", "LPUSH k x", "INCR k", "EXEC", "GET k"],
    ["WATCH k", "SET k 1", "MULTI", "SET k 2", "EXEC", "GET k"],
    ["SET k v", "SCAN 0 TYPE nosuch", "SCAN 0 TYPE LIST", "SCAN 0 TYPE STRING"],
    ["SCAN 0 COUNT 0", "SCAN x", "SCAN 0 TYPE string COUNT 10", "SCAN 0 MATCH", "SCAN 0 HUH 1"],
    ["SADD s 3 1 2", "SMEMBERS s", "SREM s 1 2 3", "EXISTS s", "TYPE s", "SCARD s"],
    ["RPUSH l a b c", "LPUSH l x y", "LRANGE l 0 -1", "LRANGE l -2 -1", "LRANGE l 5 1", "LRANGE l 1",
     "LRANGE l a b"],
    ["APPEND k a", "STRLEN k", "APPEND k b", "GETSET k c", "GETDEL k", "GETDEL k", "TYPE k"],
    ["MSETNX a 1 b 2", "MSETNX b 3 c 4", "MGET a b c", "MSET a", "MSET a 1 b"],
    ["GETEX k EX 0", "SETEX k 0 v", "PSETEX k -1 v", "SET k v EX 0", "SET k v PX x", "EXPIRE k x"],
    ["SET k v NX GET", "SET k w NX GET", "SET k w XX GET", "SET n v XX GET", "GET k"],
    ["HELLO 4", "HELLO x", "HELLO 2 AUTH default x", "HELLO 2 SETNAME", "AUTH x", "AUTH a b c"],
    ["PING a b", "ECHO", "SELECT", "SELECT x", "SELECT 99", "TIME x", "DBSIZE x"],
    ["CLIENT", "CLIENT NOPE", "CLIENT SETNAME", "CLIENT SETNAME x", "CLIENT GETNAME",
     "CLIENT KILL TYPE huh", "CLIENT KILL 1.2.3.4:5", "CLIENT NO-EVICT huh", "CLIENT INFO x"],
    ["CONFIG", "CONFIG GET", "CONFIG SET x", "CONFIG SET nope 1", "CONFIG SET maxclients abc",
     "CONFIG SET databases 3", "CONFIG HUH"],
    ["COMMAND COUNT 1", "COMMAND HUH", "COMMAND INFO nope", "COMMAND GETKEYS"],
    ["READONLY x", "READWRITE x", "RESET x", "UNWATCH x", "DISCARD x", "EXEC x", "MULTI x"],
    ["KEYS", "TYPE", "TTL", "DEL", "EXISTS", "EXPIRE k", "FLUSHDB huh", "FLUSHALL ASYNC SYNC"],
])
def test_sequences_that_hold_a_trap(pair, commands):
    pair.run([command.split() for command in commands])


def test_an_empty_type_fits_no_key(pair):
    pair.run([["SET", "k", "v"], ["SCAN", "0", "TYPE", ""], ["SCAN", "0", "TYPE"]])


def test_the_arity_and_keys_of_every_command_are_those_of_redis(pair):
    ours = pair.subject.must("COMMAND", "INFO", *COMMANDS)
    theirs = pair.oracle.must("COMMAND", "INFO", *COMMANDS)
    for name, mine, yours in zip(COMMANDS, ours, theirs):
        assert mine is not None, f"{name} is not in COMMAND INFO"
        assert mine[:2] == yours[:2], name
        assert mine[3:6] == yours[3:6], f"{name}: first, last, step"
        assert set(mine[2]) == set(yours[2]), f"{name}: flags"


def test_scan_visits_every_key_on_both(pair):
    for i in range(300):
        pair.run([["SET", f"scan:{i}", "v"]])
    pair.run([["RPUSH", "scanned-list", "x"]])
    for options in ([], ["COUNT", "7"], ["MATCH", "scan:*1"], ["TYPE", "list"]):
        assert scan_all(pair.subject, options) == scan_all(pair.oracle, options)


def scan_all(connection, options):
    found, cursor = set(), b"0"
    for _ in range(10_000):
        cursor, page = connection.must("SCAN", cursor, *options)
        found.update(page)
        if cursor == b"0":
            return found
    raise AssertionError("SCAN does not end")


def test_hello_has_the_fields_of_redis(pair):
    for protocol in (2, 3):
        ours, theirs = pair.subject.must("HELLO", protocol), pair.oracle.must("HELLO", protocol)
        if protocol == 2:
            ours, theirs = dict(zip(ours[::2], ours[1::2])), dict(zip(theirs[::2], theirs[1::2]))
        assert list(ours) == list(theirs)
        assert ours[b"server"] == b"redis" and ours[b"proto"] == protocol
        assert ours[b"version"].split(b".")[:2] == theirs[b"version"].split(b".")[:2]


def test_inline_commands_are_those_of_redis(pair):
    for line in (b"PING\r\n", b"set k v\r\n", b"GET k\n", b'SET k "a\\x41\\n b"\r\n', b"GET k\r\n",
                 b"SET k 'it\\'s'\r\nGET k\r\nPING\r\n", b"\r\n\r\nPING\r\n", b"   PING   \r\n"):
        for connection in (pair.subject, pair.oracle):
            connection.send_raw(line)
        for _ in range(line.upper().count(b"GET ") + line.upper().count(b"SET ")
                       + line.upper().count(b"PING")):
            assert pair.subject.read_raw() == pair.oracle.read_raw(), line


def test_commands_only_redis_has_are_unknown_in_redis_words(pair):
    reply = pair.subject.call("NOSUCHCOMMAND", "a", "b")
    assert reply == RespError("ERR unknown command 'NOSUCHCOMMAND', with args beginning with: "
                              "'a' 'b' ")
