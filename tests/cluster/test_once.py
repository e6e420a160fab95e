"""Commands that count once, fences and read levels on real nodes: KIWI.ONCE, KIWI.FENCE, KIWI.READ."""
from __future__ import annotations

import os
import random
import threading
import time

import redis

from support.cluster import wait_serving
from support.onceload import OnceLoad
from support.resp import RespError
from support.waiting import wait_until

SECONDS = float(os.environ.get("KIWI_ONCE_SECONDS", 12))
CLIENTS = int(os.environ.get("KIWI_ONCE_CLIENTS", 20))


def token(name="t"):
    return f"{int(time.time() * 1000)}-{name}"


def once(node):
    return {key: int(value) for key, value in node.info("once").items() if key.startswith("once_")}


def ask(node, *command):
    """What says nothing is asked again with the same token: a node that has just installed a snapshot says
    LOADING for a moment."""
    until = time.monotonic() + 20
    while True:
        reply = node.call(*command)
        again = isinstance(reply, RespError) and reply.code in ("LOADING", "CLUSTERDOWN", "TIMEOUT")
        if not again or time.monotonic() > until:
            return reply
        time.sleep(0.02)


def checksums(cluster):
    cluster.wait_applied_equal()
    return {node.info("raft")["raft_state_checksum"] for node in cluster.alive()}


def test_a_command_repeated_on_every_node_counts_once(shared):
    name = token("every")
    for node in shared.nodes:
        assert node.call("KIWI.ONCE", name, "INCR", "every") == 1
    assert shared.nodes[0].call("GET", "every") == b"1"
    fate = shared.nodes[1].call("KIWI.TOKEN", "GET", name)
    assert fate[:2] == [b"state", b"applied"]
    assert shared.nodes[2].call("KIWI.ONCE", name, "INCR", "other").code == "ONCEMISMATCH"
    fresh = shared.nodes[0].call("KIWI.TOKEN", "NEW", 3)
    assert len(set(fresh)) == 3
    assert shared.nodes[1].call("KIWI.ONCE", fresh[0], "INCR", "every") == 2
    assert shared.nodes[1].call("KIWI.TOKEN", "CLOSE", fresh[1]) == "CLOSED"
    assert shared.nodes[2].call("KIWI.ONCE", fresh[1], "INCR", "every").code == "ONCECLOSED"


def test_tokens_outlive_leaders_restarts_and_snapshots(make_cluster):
    cluster = make_cluster(3, options={"raft.snapshot-entries": 60, "raft.log-keep-entries": 10,
                                       "raft.log-laggard-max-bytes": 0,
                                       "raft.log-max-cache-size": "64kb"})
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    names = [token(f"n{i}") for i in range(50)]
    for name in names:
        assert leader.call("KIWI.ONCE", name, "INCR", "n") > 0
    follower.kill()
    for i in range(300):
        leader.call("SET", f"k{i}", "v" * 500)
    more = [token(f"m{i}") for i in range(50)]
    for name in more:
        leader.call("KIWI.ONCE", name, "RPUSH", "l", name)
    follower.start()
    wait_serving(follower)
    wait_until(lambda: int(follower.info("raft")["raft_snapshots_received"]) >= 0, 5, "INFO")
    assert [ask(follower, "KIWI.ONCE", name, "INCR", "n") for name in names] == list(range(1, 51))
    leader.kill()
    cluster.wait_leader(other_than=leader)
    assert [ask(follower, "KIWI.ONCE", name, "RPUSH", "l", name) for name in more] == \
        list(range(1, 51))
    leader.start()
    wait_serving(leader)
    for node in cluster.nodes:
        node.terminate()
    cluster.start()
    assert ask(cluster.nodes[0], "KIWI.ONCE", names[0], "INCR", "n") == 1
    assert cluster.nodes[0].call("GET", "n") == b"50"
    assert len(checksums(cluster)) == 1


def trouble(cluster, rng, until, kills):
    """Leaders die, nodes freeze, bounds shrink and grow."""
    while time.monotonic() < until:
        time.sleep(rng.uniform(0.5, 1.5))
        leader = cluster.leader()
        if leader is None:
            continue
        what = rng.randrange(4)
        if what < 2:
            leader.kill()
            kills.append(leader.id)
            time.sleep(rng.uniform(0.2, 1))
            leader.start()
        elif what == 2:
            node = rng.choice(cluster.alive())
            node.pause()
            time.sleep(rng.uniform(0.3, 1.5))
            node.resume()
        else:
            try:
                leader.call("CONFIG", "SET", "once-max-records", rng.choice((200, 2000, 1000000)),
                            "once-max-reply", rng.choice((0, 65536)))
            except OSError:
                pass
    for node in cluster.nodes:
        if node.alive():
            node.resume()
        else:
            node.start()


def under_trouble(cluster, seed, tokens):
    load = OnceLoad(cluster, seed, CLIENTS, tokens=tokens).start()
    kills: list[int] = []
    try:
        trouble(cluster, random.Random(f"trouble/{seed}"), time.monotonic() + SECONDS, kills)
        cluster.wait_ready()
    finally:
        load.finish()
    return load, kills


def test_clients_that_repeat_with_tokens_lose_and_double_nothing(make_cluster, seed):
    cluster = make_cluster(3)
    load, kills = under_trouble(cluster, seed, tokens=True)
    problems = load.problems()
    counted = sum(load.total(kind).counted for kind in ("incr", "push", "block", "script"))
    repeats = sum(load.total(kind).repeats for kind in ("incr", "push", "block", "script"))
    unknown = sum(load.total(kind).unknown for kind in ("incr", "push", "block", "script"))
    print(f"{counted} counted, {repeats} attempts repeated, {unknown} whose fate nobody knows any "
          f"more, {len(kills)} leader kills: {problems or 'as it must be'}")
    assert not problems
    assert counted > 100 and repeats > 10 and kills
    assert len(checksums(cluster)) == 1


def test_the_same_clients_without_tokens_double(make_cluster, seed):
    """So the load above would see it."""
    load, _ = under_trouble(make_cluster(3), seed, tokens=False)
    assert any("twice" in problem or "the counter is" in problem for problem in load.problems())


def test_redis_py_repeats_by_itself(shared):
    """Its own retries send the same arguments, so they are safe."""
    node = shared.nodes[0]
    client = redis.Redis(port=node.port, decode_responses=True)
    name = token("py")
    assert client.execute_command("KIWI.ONCE", name, "INCR", "py") == 1
    client.connection_pool.disconnect()
    assert client.execute_command("KIWI.ONCE", name, "INCR", "py") == 1
    name = token("block")
    for _ in range(2):
        pipe = client.pipeline(transaction=True)
        pipe.execute_command("KIWI.ONCE", name)
        pipe.incr("py")
        pipe.rpush("pylist", "x")
        assert pipe.execute() == ["OK", 2, 1]
    assert client.get("py") == "2"


def test_a_worker_that_died_gets_its_job_again(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    name = token("worker")
    with leader.connect() as waits:
        waits.send("KIWI.ONCE", name, "BLPOP", "jobs", 0)
        wait_until(lambda: int(leader.info("raft_clients").get("raft_waiting_clients", 0)) == 1, 5,
                   "a client that waits")
        follower.call("RPUSH", "jobs", "one", "two")
        wait_until(lambda: follower.call("LLEN", "jobs") == 1, 5, "the job to be taken")
    # It never read the answer. Another process asks elsewhere, with the token that it wrote down.
    assert follower.call("KIWI.ONCE", name, "BLPOP", "jobs", 1) == [b"jobs", b"one"]
    assert follower.call("LRANGE", "jobs", 0, -1) == [b"two"]


class Resource:
    """What a lock guards elsewhere: it refuses a fence that is smaller than one it saw."""

    def __init__(self, fenced):
        self.fenced, self.largest, self.violations, self.refused = fenced, 0, 0, 0
        self.lock = threading.Lock()
        self.last = 0

    def write(self, fence):
        with self.lock:
            if self.fenced and fence < self.largest:
                self.refused += 1
                return
            self.violations += 1 if fence < self.last else 0
            self.last = fence
            self.largest = max(self.largest, fence)


RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


def lock_owner(cluster, number, seed, stop, resource, failures):
    """The README's recipe. Owners sleep past their lock now and then, and write all the same."""
    rng = random.Random(f"lock/{seed}/{number}")
    turn = 0
    while not stop.is_set():
        turn += 1
        owner = f"{number}:{turn}"
        name = token(owner)
        try:
            with rng.choice(cluster.nodes).connect(timeout=5) as connection:
                taken = connection.call("KIWI.ONCE", name, "KIWI.FENCE", "SET", "lock", owner, "NX",
                                        "PX", 100)
                if isinstance(taken, RespError):
                    continue
                if taken[0] != "OK":
                    time.sleep(0.005)
                    continue
                fence = taken[1][1]
                again = connection.call("KIWI.ONCE", name, "KIWI.FENCE", "SET", "lock", owner, "NX",
                                        "PX", 100)
                if again != taken:
                    failures.append(f"{owner}: {taken} became {again}")
                time.sleep(0.25 if rng.random() < 0.2 else 0.002)  # some are paused beyond their lock
                resource.write(fence)
                connection.call("EVAL", RELEASE, 1, "lock", owner)
        except OSError:
            time.sleep(0.01)


def contend(cluster, seed, resource, seconds):
    stop, failures = threading.Event(), []
    owners = [threading.Thread(target=lock_owner, daemon=True,
                               args=(cluster, n, seed, stop, resource, failures)) for n in range(12)]
    for owner in owners:
        owner.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(2)
        leader = cluster.leader()
        if leader is not None:
            leader.kill()
            time.sleep(0.3)
            leader.start()
    stop.set()
    for owner in owners:
        owner.join(20)
    assert not failures, failures[0]


def test_a_fence_keeps_paused_owners_of_a_lock_away(make_cluster, seed):
    cluster = make_cluster(3)
    fenced, bare = Resource(True), Resource(False)
    contend(cluster, seed, fenced, SECONDS / 2)
    contend(cluster, seed, bare, SECONDS / 2)
    print(f"with fences {fenced.violations} violations, {fenced.refused} refused; without "
          f"{bare.violations}")
    assert fenced.violations == 0
    assert bare.violations > 0  # so the test can tell


def test_reads_at_an_index_need_no_quorum(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    assert leader.call("SET", "k", "v") == "OK"
    index, _ = leader.call("KIWI.INDEX")
    assert follower.call("KIWI.READ", "ATLEAST", index, "GET", "k") == b"v"
    for node in cluster.nodes:
        if node is not follower:
            node.kill()
    assert follower.call("KIWI.READ", "ATLEAST", index, "GET", "k") == b"v"
    with follower.connect() as connection:
        assert connection.call("KIWI.READ", "ATLEAST", index) == "OK"
        assert connection.call("GET", "k") == b"v"
        assert connection.call("READWRITE") == "OK"
    assert follower.call("KIWI.READ", "ATLEAST", index + 1000, "GET", "k", timeout=30).code == "TIMEOUT"


def test_reads_of_an_age_are_never_older(make_cluster, seed):
    """A writer notes when each value was acknowledged; nobody is told one that was overwritten more than
    the age before it asked, also while nodes are frozen."""
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    acknowledged = [(time.monotonic(), 0)]  # (when, value)
    leader.call("SET", "age", 0)
    stop = threading.Event()
    age = 0.2

    def write():
        value = 0
        while not stop.is_set():
            node = cluster.leader()
            try:
                with (node or leader).connect(timeout=5) as connection:
                    while not stop.is_set():
                        if connection.call("SET", "age", value + 1) != "OK":
                            break
                        value += 1
                        acknowledged.append((time.monotonic(), value))
                        time.sleep(0.002)
            except OSError:
                time.sleep(0.02)

    old, steps_back, reads = [], [], [0]

    def read(number):
        rng = random.Random(f"age/{seed}/{number}")
        while not stop.is_set():
            try:
                with rng.choice(cluster.nodes).connect(timeout=15) as connection:
                    connection.call("KIWI.READ", "STALE", "MAXLAG", int(age * 1000))
                    last = -1
                    for _ in range(200):
                        asked = time.monotonic()
                        reply = connection.call("GET", "age")
                        if not isinstance(reply, bytes):
                            break
                        value = int(reply)
                        reads[0] += 1
                        if value < last:
                            steps_back.append((last, value))
                        last = value
                        due = [v for at, v in list(acknowledged)[-400:] if at < asked - age]
                        if due and value < max(due):
                            old.append((value, max(due)))
            except OSError:
                time.sleep(0.02)

    threads = [threading.Thread(target=write, daemon=True)]
    threads += [threading.Thread(target=read, args=(n,), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    rng = random.Random(f"age/{seed}")
    until = time.monotonic() + SECONDS / 2
    while time.monotonic() < until:
        node = rng.choice(cluster.alive())
        node.pause()
        time.sleep(rng.uniform(0.3, 1.2))
        node.resume()
        time.sleep(rng.uniform(0.2, 0.8))
    stop.set()
    for thread in threads:
        thread.join(20)
    print(f"{reads[0]} reads: {len(old)} older than {age} s, {len(steps_back)} steps back")
    assert not old and not steps_back
    assert reads[0] > 1000
