"""Values go to redis-server 7.0 and back: DUMP and RESTORE in both directions, and whole RDB files
through --import."""
from __future__ import annotations

import pathlib
import random
import socket
import subprocess

import pytest

from support.cluster import Node
from support.oracle import RedisServer, why_not
from support.resp import Connection, RespError
from support.waiting import wait_until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

FAR_AWAY = 2_790_000_000_123
# Around the sizes at which Redis or Kiwi change how a value lies: entries, bytes.
COUNTS = (1, 2, 30, 127, 129, 513, 3000)
LENGTHS = (0, 1, 11, 20, 21, 63, 65, 300)


@pytest.fixture
def redis():
    server = RedisServer()
    yield server
    server.close()


def some_bytes(rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return str(rng.getrandbits(64) - (1 << 63) >> rng.randrange(64)).encode()
    if kind == 1:
        return bytes([rng.randrange(256)]) * rng.choice(LENGTHS)
    if kind == 2:
        return rng.randbytes(rng.choice(LENGTHS))
    return b"value %d" % rng.randrange(100)


def has(connection: Connection, name: str) -> bool:
    return bool(connection.must("COMMAND", "INFO", name)[0])


def fill(connection: Connection, rng: random.Random, kinds: list[str]) -> None:
    """Keys of every kind, in every size; every third with a deadline far away."""
    for kind in kinds:
        for count in COUNTS:
            key = f"{kind}:{count}".encode()
            values = [some_bytes(rng) for _ in range(count)]
            match kind:
                case "string":
                    connection.must("SET", key, b"".join(values)[:40_000])
                case "list":
                    connection.must("RPUSH", key, *values)
                case "numbers":
                    connection.must("SADD", key, *(rng.getrandbits(40) - (1 << 39) for _ in values))
                case "set":
                    connection.must("SADD", key, *values)
                case "hash":
                    connection.must("HSET", key, *(word for value in values
                                                   for word in (value, some_bytes(rng))))
                case "zset":
                    connection.must("ZADD", key, *(word for value in values for word in (
                        rng.choice([repr(rng.uniform(-1e6, 1e6)), "inf", "-inf", rng.randrange(99)]), value)))
                case "stream":
                    fill_stream(connection, rng, key, values)
            if rng.randrange(3) == 0:
                connection.must("PEXPIREAT", key, FAR_AWAY)


def fill_stream(connection: Connection, rng: random.Random, key: bytes, values: list[bytes]) -> None:
    """Some entries deleted, some delivered, some of those acknowledged."""
    ids = [f"{number * 7}-{rng.randrange(3)}" for number in range(1, len(values) + 1)]
    for entry, one in zip(ids, values):
        connection.must("XADD", key, entry, "field", one, *(["other", b"7"] if rng.randrange(9) == 0 else []))
    connection.must("XGROUP", "CREATE", key, "group", 0)
    connection.must("XGROUP", "CREATE", key, "17", "$")
    for consumer in ("a", "b", "3"):
        connection.must("XREADGROUP", "GROUP", "group", consumer, "COUNT", len(values) // 4 + 1, "STREAMS", key, ">")
    connection.must("XGROUP", "CREATECONSUMER", key, "group", "idle")
    connection.must("XACK", key, "group", *rng.choices(ids, k=1 + len(ids) // 5))
    connection.must("XDEL", key, *rng.choices(ids, k=1 + len(ids) // 9))


def stream(connection: Connection, key: bytes):
    pending = [[row[0], row[1], row[3]] for row in connection.must("XPENDING", key, "group", "-", "+", 100_000)]
    head = connection.must("XINFO", "STREAM", key)
    return (connection.must("XRANGE", key, "-", "+"), pending, connection.must("XINFO", "GROUPS", key),
            head[6:14])  # ids and counts; in front of them are nodes of a radix tree


def value(connection: Connection, key: bytes):
    kind = str(connection.must("TYPE", key))
    read = {"string": lambda: connection.must("GET", key),
            "list": lambda: connection.must("LRANGE", key, 0, -1),
            "set": lambda: sorted(connection.must("SMEMBERS", key)),
            "hash": lambda: pairs(connection.must("HGETALL", key)),
            "zset": lambda: connection.must("ZRANGE", key, 0, -1, "WITHSCORES"),
            "stream": lambda: stream(connection, key),
            "none": lambda: None}[kind]
    return kind, read(), connection.must("PEXPIRETIME", key), encoding(connection, key)


def encoding(connection: Connection, key: bytes):
    return connection.call("OBJECT", "ENCODING", key)


def pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    return sorted(zip(flat[::2], flat[1::2]))


def content(connection: Connection, databases=(0,)):
    found = {}
    for database in databases:
        connection.must("SELECT", database)
        for key in connection.must("KEYS", "*"):
            found[database, key] = value(connection, key)
    connection.must("SELECT", 0)
    return found


def kinds_of(connection: Connection) -> list[str]:
    return ["string", "list", "numbers", "set", "hash"] + [
        kind for kind, command in (("zset", "ZADD"), ("stream", "XADD")) if has(connection, command)]


def copy_all(source: Connection, target: Connection) -> None:
    for key in source.must("KEYS", "*"):
        payload = source.must("DUMP", key)
        deadline = max(0, source.must("PEXPIRETIME", key))
        target.must("RESTORE", key, deadline, payload, "ABSTTL")


@pytest.mark.parametrize("ours_first", [True, False])
def test_payloads_go_both_ways(single, redis, seed, ours_first):
    with single.node(1).connect() as ours, redis.connect() as theirs:
        ours.must("FLUSHALL")
        source, target = (ours, theirs) if ours_first else (theirs, ours)
        fill(source, random.Random(seed), kinds_of(ours))
        wanted = content(source)
        assert len(wanted) >= 5 * len(COUNTS)
        copy_all(source, target)
        assert content(target) == wanted
        # And back, over what is there.
        for key in target.must("KEYS", "*"):
            source.must("RESTORE", key, max(0, target.must("PEXPIRETIME", key)), target.must("DUMP", key),
                        "REPLACE", "ABSTTL")
        assert content(source) == wanted


def rdb_file(redis: RedisServer) -> pathlib.Path:
    with redis.connect() as connection:
        connection.must("SAVE")
    return pathlib.Path(redis.dir) / "dump.rdb"


def run_import(node: Node, file: pathlib.Path, *more: str):
    done = subprocess.run([*map(str, node.argv()), "--import", str(file), *more], text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def serve(node: Node) -> Connection:
    node.start()

    def answers():
        try:
            return node.call("GET", "none", timeout=2) is None
        except OSError:
            return False
    wait_until(answers, 20, "the imported node to serve")
    return node.connect()


@pytest.mark.parametrize("compressed", ["yes", "no"])
def test_an_rdb_file_of_redis_is_imported_and_then_served(single, redis, seed, tmp_path, compressed):
    with single.node(1).connect() as ours:
        kinds = kinds_of(ours)
    with redis.connect() as theirs:
        theirs.must("CONFIG", "SET", "rdbcompression", compressed)
        fill(theirs, random.Random(seed), kinds)
        theirs.must("SET", "large", random.Random(seed).randbytes(5 << 20))
        theirs.must("RPUSH", "long", *range(100_000))
        theirs.must("SELECT", 7)
        theirs.must("SET", "of seven", "x")
        theirs.must("SELECT", 0)
        wanted = content(theirs, (0, 7))
    file = rdb_file(redis)
    node = Node(1, tmp_path, {})
    code, said = run_import(node, file)
    assert code == 0, said
    assert f"{len(wanted)} keys" in said and "7.0.15" in said
    code, again = run_import(node, file)
    assert code == 1 and "not empty" in again
    try:
        with serve(node) as connection:
            assert content(connection, (0, 7)) == wanted
            assert connection.must("SET", "after", "import") == "OK"
            audit = connection.call("RAFT.DEBUG", "AUDIT")
            assert not isinstance(audit, RespError) and audit[audit.index(b"fault") + 1] is None
    finally:
        node.kill()


def test_an_import_that_cannot_be_whole_says_so(redis, tmp_path):
    with redis.connect() as theirs:
        theirs.must("SET", "text", "here")
        theirs.must("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    file = rdb_file(redis)
    node = Node(1, tmp_path, {})
    code, said = run_import(node, file)
    assert code == 1 and "a library of functions is not supported yet" in said
    code, said = run_import(node, file, "--import-skip-unsupported")
    assert code == 2 and "left out: a library of functions" in said
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged.rdb").write_bytes(damaged)
    code, said = run_import(Node(2, tmp_path, {}), tmp_path / "damaged.rdb")
    assert code == 1 and "checksum" in said
    code, said = run_import(Node(2, tmp_path, {}), tmp_path / "none.rdb")
    assert code == 1 and "cannot read" in said
    try:
        with serve(node) as connection:
            assert connection.must("GET", "text") == b"here"
    finally:
        node.kill()


def test_migrate_moves_keys_to_redis_and_to_another_cluster(single, redis, make_cluster, seed):
    other = make_cluster(1, peers=False)
    with single.node(1).connect() as ours:
        for target in (redis, other.node(1)):
            ours.must("FLUSHALL")
            fill(ours, random.Random(seed), kinds_of(ours))
            wanted = content(ours)
            keys = sorted(key for _, key in wanted)
            for key in keys[:5]:
                assert ours.must("MIGRATE", target.host, target.port, key, 0, 5000) == "OK"
            assert ours.must("MIGRATE", target.host, target.port, "", 0, 5000, "COPY", "KEYS",
                             *keys[5:10], "no such key") == "OK"
            refused = ours.call("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", *keys[5:])
            assert "BUSYKEY" in refused.text
            assert set(ours.must("KEYS", "*")) == set(keys[5:])  # all or none
            assert ours.must("MIGRATE", target.host, target.port, "", 0, 5000, "REPLACE", "KEYS",
                             *keys[5:]) == "OK"
            assert ours.must("DBSIZE") == 0
            with target.connect() as theirs:
                found = content(theirs)
            for name, (kind, contained, deadline, form) in wanted.items():
                # The time to live travels, not the deadline.
                assert found[name][:2] == (kind, contained) and found[name][3] == form
                assert abs(found[name][2] - deadline) < 5000 and (found[name][2] < 0) == (deadline < 0)
        assert ours.must("MIGRATE", redis.host, redis.port, "none", 0, 1000) == "NOKEY"


def test_migrate_says_what_went_wrong_and_keeps_the_key(single, redis):
    with single.node(1).connect() as ours:
        ours.must("FLUSHALL")
        ours.must("SET", "k", "v")
        for host, port, database, word in (("127.0.0.1", 1, 0, "IOERR"), (redis.host, redis.port, 99, "ERR"),
                                           ("no.such.host.invalid", 7000, 0, "IOERR")):
            assert ours.call("MIGRATE", host, port, "k", database, 2000).code == word
            assert ours.must("GET", "k") == b"v"
        with redis.connect() as theirs:
            theirs.must("CONFIG", "SET", "requirepass", "secret")
        assert "NOAUTH" in ours.call("MIGRATE", redis.host, redis.port, "k", 0, 1000).text
        # As Redis', a MIGRATE whose database was refused has left a copy in the target's database 0.
        assert ours.must("MIGRATE", redis.host, redis.port, "k", 0, 1000, "REPLACE",
                         "AUTH", "secret") == "OK"
        assert ours.must("EXISTS", "k") == 0


def memory_of_clients(single) -> int:
    return int(single.node(1).info("memory")["mem_clients_normal"])


def test_a_migrate_to_a_target_that_says_nothing_ends_with_its_client(single):
    """Else what it holds would stay until a timeout of an hour."""
    value = b"v" * 30_000_000  # more than the two sockets take
    with socket.create_server(("127.0.0.1", 0)) as silent, single.node(1).connect() as watcher:
        watcher.must("SET", "k", value)
        client = single.node(1).connect()
        client.send("MIGRATE", "127.0.0.1", silent.getsockname()[1], "k", 0, 3_600_000)
        silent.settimeout(30)
        target, _ = silent.accept()
        with target:
            target.settimeout(30)
            assert target.recv(1)
            held = memory_of_clients(single)
            assert held >= len(value)
            client.close()
            while target.recv(1 << 20):
                pass
        wait_until(lambda: memory_of_clients(single) < held - len(value) // 2, 10, "what it held is free")
        assert watcher.must("STRLEN", "k") == len(value)
        watcher.must("DEL", "k")
