"""Clients that know nothing of Kiwi: redis-py, redis-cli, redis-benchmark, ioredis."""
from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
import subprocess

import pytest
import redis

HERE = pathlib.Path(__file__).resolve().parent
REDIS_PY_KNOWS_RESP3 = int(redis.__version__.split(".")[0]) >= 5


def client(node, **options):
    return redis.Redis(host=node.host, port=node.port, socket_timeout=15, **options)


PROTOCOLS = [2, pytest.param(3, marks=pytest.mark.skipif(
    not REDIS_PY_KNOWS_RESP3, reason=f"redis-py {redis.__version__} knows no protocol=3"))]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_redis_py(shared, protocol):
    options = {"protocol": 3} if protocol == 3 else {}
    r = client(shared.node(2), client_name="from-redis-py", decode_responses=True, **options)
    r.flushdb()
    assert r.ping() and r.set("a", 1) and r.get("a") == "1"
    assert r.client_getname() == "from-redis-py"
    assert any(c["name"] == "from-redis-py" for c in r.client_list())
    assert r.mset({"b": 2, "c": 3}) and r.mget("a", "b", "nope") == ["1", "2", None]
    assert r.set("a", 2, nx=True) is None and r.set("a", 2, xx=True, get=True) == "1"
    assert r.incrbyfloat("f", 0.1) == 0.1 and r.append("a", "x") == 2 and r.getdel("a") == "2x"
    assert r.expire("b", 100) and 90 < r.ttl("b") <= 100 and r.persist("b") and r.ttl("b") == -1
    assert r.rpush("l", *range(5)) == 5 and r.lrange("l", 1, -2) == ["1", "2", "3"]
    assert r.sadd("s", "x", "y") == 2 and r.smembers("s") == {"x", "y"} and r.scard("s") == 2
    assert sorted(r.scan_iter(count=2)) == ["b", "c", "f", "l", "s"] == sorted(r.keys())
    assert r.type("l") == "list" and r.dbsize() == 5
    info = r.info("raft")
    assert info["raft_num_nodes"] == 3
    assert r.info()["redis_version"].startswith("7.0")
    assert r.config_get("maxclients")["maxclients"]
    assert len(r.time()) == 2 and r.command_count() > 50


def test_redis_py_pipelines_and_transactions(shared):
    r = client(shared.node(3), decode_responses=True)
    with r.pipeline(transaction=False) as pipe:
        for i in range(500):
            pipe.set(f"rp:{i}", i).get(f"rp:{i}")
        assert pipe.execute() == [x for i in range(500) for x in (True, str(i))]
    with r.pipeline() as pipe:
        assert pipe.set("t", 1).incr("t").get("t").execute() == [True, 2, "2"]

    def double(pipe):
        value = int(pipe.get("t"))
        pipe.multi()
        pipe.set("t", value * 2)
    assert r.transaction(double, "t") == [True]
    assert r.get("t") == "4"
    with pytest.raises(redis.WatchError), r.pipeline() as pipe:
        pipe.watch("t")
        client(shared.node(1)).set("t", 9)
        pipe.multi()
        pipe.set("t", 10)
        pipe.execute()
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        r.rpush("rl", 1)
        r.get("rl")


def test_redis_py_with_password_and_database(make_cluster):
    cluster = make_cluster(1, peers=False, options={"requirepass": "hush"})
    with pytest.raises(redis.AuthenticationError):
        client(cluster.node(1)).ping()
    with pytest.raises((redis.AuthenticationError, redis.ResponseError)):
        client(cluster.node(1), password="wrong").ping()
    assert client(cluster.node(1), password="hush", db=9).set("k", "v")
    assert client(cluster.node(1), username="default", password="hush", db=9).get("k") == b"v"


def cli(node, *args, **options):
    return subprocess.run(["redis-cli", "-p", str(node.port), *args], capture_output=True, text=True,
                          timeout=30, **options)


needs_tools = pytest.mark.skipif(not shutil.which("redis-cli"), reason="no redis-tools here")


@needs_tools
def test_redis_cli_set_on_one_node_get_on_the_next(shared):
    assert cli(shared.node(2), "set", "a", "1").stdout == "OK\n"
    assert cli(shared.node(3), "get", "a").stdout == "1\n"
    assert cli(shared.node(1), "--no-raw", "get", "a").stdout == '"1"\n'
    assert "raft_role:" in cli(shared.node(1), "info", "raft").stdout
    assert cli(shared.node(1), "-3", "--no-raw", "get", "nope").stdout.strip() == "(nil)"
    many = cli(shared.node(1), input="set x 1\nincr x\nget x\nnosuch\n").stdout
    assert many.startswith("OK\n2\n2\nERR unknown command 'nosuch'"), many
    assert cli(shared.node(1), "-n", "3", "dbsize").returncode == 0


@needs_tools
def test_redis_cli_reads_the_command_docs_for_its_hints(shared):
    docs = cli(shared.node(1), "command", "docs", "set").stdout
    assert "summary" in docs and "string" in docs.lower()
    assert "set" in cli(shared.node(1), "command", "list").stdout.split()


@needs_tools
def test_redis_cli_scan_and_pipe_mode(shared):
    node = shared.node(2)
    cli(node, "flushall")
    lines = "".join(f"SET pipe:{i} {i}\r\n" for i in range(1000))
    piped = cli(node, "--pipe", input=lines)
    assert "errors: 0, replies: 1000" in piped.stdout, piped.stdout + piped.stderr
    scanned = cli(node, "--scan", "--pattern", "pipe:*").stdout.split()
    assert sorted(scanned) == sorted(f"pipe:{i}" for i in range(1000))


@needs_tools
def test_redis_benchmark_runs_on_leader_and_follower(shared):
    for node in (shared.wait_leader(), shared.followers()[0]):
        for extra in (["-P", "1"], ["-P", "16"]):
            run = subprocess.run(
                ["redis-benchmark", "-p", str(node.port), "-c", "50", "-n", "2000", "-r", "1000",
                 "-t", "ping,set,get,incr,lpush,sadd,mset", "-q", "--csv", *extra],
                capture_output=True, text=True, timeout=120)
            assert run.returncode == 0, run.stderr
            rows = [line for line in run.stdout.splitlines() if line.startswith('"')]
            assert len(rows) >= 8, run.stdout
            assert "error" not in (run.stdout + run.stderr).lower(), run.stdout + run.stderr


def ioredis_directory() -> pathlib.Path:
    """Installed once, outside the tree; skips with the reason if that cannot be."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no node and npm here")
    known = pathlib.Path(os.environ.get("NODE_PATH") or "/nowhere") / "ioredis"  # scripts/test's
    if known.is_dir():
        return known
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    prefix = cache / "kiwi-tests" / "ioredis"
    module = prefix / "node_modules" / "ioredis"
    prefix.mkdir(parents=True, exist_ok=True)
    with open(prefix / "lock", "w") as lock:  # another worker may be about to do the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (prefix / "complete").exists():
            installed = subprocess.run(
                ["npm", "install", "--prefix", str(prefix), "--no-audit", "--no-fund", "ioredis@5"],
                capture_output=True, text=True, timeout=120)
            if installed.returncode:
                pytest.skip(f"npm could not install ioredis: {installed.stderr.strip()[-200:]}")
            (prefix / "complete").touch()
    return module


def test_ioredis(shared):
    module = ioredis_directory()
    run = subprocess.run(["node", str(HERE / "ioredis_client.js"), str(module),
                          str(shared.node(2).port)], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "ok", run.stdout + run.stderr
