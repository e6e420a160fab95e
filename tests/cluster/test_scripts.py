"""Scripts as the frameworks send them, from all nodes while a leader dies: locks, rate limiters, delayed jobs
[SERVICES 2]. What a script did, it did once and whole; every node has the same state and script cache."""
from __future__ import annotations

import os
import random
import threading
import time

import redis

from support.waiting import wait_until

# redis-py's Lock, a sliding window, and the promotion of delayed jobs as BullMQ has it (undeclared keys, cjson).
WINDOW = """
local now = redis.call('time')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('zremrangebyscore', KEYS[1], '-inf', at - tonumber(ARGV[1]))
if redis.call('zcard', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('zadd', KEYS[1], at, ARGV[3])
  redis.call('pexpire', KEYS[1], ARGV[1])
  return 1
end
return 0
"""
ADD = """
local id = redis.call('incr', KEYS[1] .. ':id')
redis.call('hset', KEYS[1] .. ':' .. id, 'data', ARGV[1], 'opts', cjson.encode({delay = tonumber(ARGV[2])}))
redis.call('zadd', KEYS[1] .. ':delayed', ARGV[2], id)
return id
"""
PROMOTE = """
local ids = redis.call('zrangebyscore', KEYS[1] .. ':delayed', '-inf', ARGV[1], 'limit', 0, 10)
for _, id in ipairs(ids) do
  local opts = cjson.decode(redis.call('hget', KEYS[1] .. ':' .. id, 'opts'))
  if opts.delay <= tonumber(ARGV[1]) and redis.call('zrem', KEYS[1] .. ':delayed', id) == 1 then
    redis.call('lpush', KEYS[1] .. ':wait', id)
  end
end
return #ids
"""
TRANSFER = """
local from, to, amount = KEYS[1], KEYS[2], tonumber(ARGV[1])
if redis.call('sismember', KEYS[3], ARGV[2]) == 1 then return 0 end
if tonumber(redis.call('get', from)) < amount then return -1 end
redis.call('decrby', from, amount)
redis.call('incrby', to, amount)
redis.call('sadd', KEYS[3], ARGV[2])
return 1
"""
ACCOUNTS, EACH = 8, 1000
# So long are transfers made, and every so often a leader dies.
TRANSFER_SECONDS = float(os.environ.get("KIWI_SCRIPT_SECONDS", 12))
KILL_EVERY_S = 5
LOST = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError)  # who knows; asked again


def client(node):
    return redis.Redis(host=node.host, port=node.port, socket_timeout=10)


def until_done(action):
    """Said again until its answer comes: it has to do no harm twice."""
    while True:
        try:
            return action()
        except LOST as error:
            if isinstance(error, redis.ResponseError) and str(error).startswith("WRONGTYPE"):
                raise
            time.sleep(0.05)


def same_state(cluster):
    def checksums():
        infos = [node.info("raft") for node in cluster.nodes]
        return len({(info.get("raft_last_applied_index"), info.get("raft_state_checksum")) for info in infos}) == 1

    wait_until(checksums, 30, "all nodes to apply the same, with the same checksum")


def transfers(cluster, seed, stop, made):
    rng = random.Random(seed)
    number = 0
    while not stop.is_set():
        number += 1
        node = rng.choice(cluster.nodes)
        one, other = rng.sample(range(ACCOUNTS), 2)
        name = f"{seed}-{number}"
        try:
            answer = client(node).eval(TRANSFER, 3, f"account{one}", f"account{other}", "done", rng.randint(1, 50), name)
            made.append((name, answer))
        except LOST:
            time.sleep(0.02)


def test_transfers_by_eval_from_all_nodes_keep_the_sum_while_leaders_die(make_cluster):
    cluster = make_cluster(3, options={"raft.compare-interval": 1000})
    first = client(cluster.nodes[0])
    for account in range(ACCOUNTS):
        until_done(lambda account=account: first.set(f"account{account}", EACH))
    stop, made = threading.Event(), []
    workers = [threading.Thread(target=transfers, args=(cluster, seed, stop, made), daemon=True) for seed in range(6)]
    for worker in workers:
        worker.start()
    kills, end = 0, time.monotonic() + TRANSFER_SECONDS
    while time.monotonic() + KILL_EVERY_S < end:
        begun = time.monotonic()
        time.sleep(KILL_EVERY_S - 1.5)
        leader = cluster.wait_leader()
        leader.kill()
        kills += 1
        time.sleep(1)
        leader.start()
        time.sleep(max(0.0, begun + KILL_EVERY_S - time.monotonic()))
    time.sleep(2)
    stop.set()
    for worker in workers:
        worker.join(timeout=30)
    cluster.wait_leader()
    total = until_done(lambda: sum(int(first.get(f"account{account}")) for account in range(ACCOUNTS)))
    done = until_done(lambda: first.smembers("done"))
    acknowledged = {name.encode() for name, answer in made if answer == 1}
    print(f"{kills} leaders killed; {len(made)} transfers answered, {len(acknowledged)} of them made, "
          f"{len(done) - len(acknowledged)} made whose answer was lost, {len(acknowledged - done)} lost; "
          f"sum {total} of {ACCOUNTS * EACH}")
    assert total == ACCOUNTS * EACH
    assert acknowledged <= done
    assert len(made) > 100
    same_state(cluster)
    print("; ".join(f"node {node.id}: applied {info['raft_last_applied_index']}, checksum {info['raft_state_checksum']}"
                    for node in cluster.nodes for info in [node.info("raft")]))


def test_a_script_loaded_through_one_node_is_known_on_all_and_after_restarts(make_cluster):
    cluster = make_cluster(3)
    sha = until_done(lambda: client(cluster.nodes[0]).script_load(WINDOW))
    for node in cluster.nodes:
        assert until_done(lambda node=node: client(node).script_exists(sha)) == [True]
        assert until_done(lambda node=node: client(node).evalsha(sha, 1, "window", 60000, 2, f"n{node.id}")) in (0, 1)
    assert until_done(lambda: client(cluster.nodes[0]).zcard("window")) == 2
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.start()
    cluster.wait_leader()
    assert until_done(lambda: client(cluster.nodes[2]).evalsha(sha, 1, "window", 60000, 2, "later")) == 0
    until_done(lambda: client(cluster.nodes[1]).script_flush())
    assert until_done(lambda: client(cluster.nodes[0]).script_exists(sha)) == [False]


def test_a_function_that_does_not_write_is_a_read_until_it_is_replaced(make_cluster):
    cluster = make_cluster(3)
    first = client(cluster.nodes[0])

    def load(body, flags):
        code = ("#!lua name=lib\nredis.register_function{function_name='f', callback=function(keys) %s end, flags={%s}}"
                % (body, flags))
        until_done(lambda: first.function_load(code, replace=True))

    load("return redis.call('get', keys[1])", "'no-writes'")
    until_done(lambda: first.set("k", "v"))
    assert until_done(lambda: first.fcall("f", 1, "k")) == b"v"  # through the log: now all nodes know
    same_state(cluster)
    before = int(cluster.wait_leader().info("raft")["raft_current_index"])
    for node in cluster.nodes:
        for number in range(20):
            until_done(lambda number=number: first.set("k", number)) if number < 2 else None
            assert until_done(lambda node=node: client(node).fcall("f", 1, "k")) == b"%d" % min(number, 1)
    written = int(cluster.wait_leader().info("raft")["raft_current_index"]) - before
    assert written < 20, written  # six SETs, and not 60 calls
    load("return redis.call('incr', 'n')", "")
    refused = 0
    for node in cluster.nodes:
        try:
            client(node).fcall("f", 1, "k")
        except redis.ResponseError as error:
            assert str(error).startswith("TRYAGAIN"), error
            assert node is not cluster.nodes[0], "it has answered that the function was replaced"
            refused += 1
    assert int(first.get("n") or 0) == len(cluster.nodes) - refused
    assert all(client(node).fcall("f", 1, "k") > 0 for node in cluster.nodes)
    same_state(cluster)


def test_locks_of_redis_py_exclude_each_other_on_all_nodes(make_cluster):
    cluster = make_cluster(3)
    held, most, taken = [0], [0], [0]
    guard = threading.Lock()

    def work(node):
        for _ in range(20):
            with client(node).lock("lock", timeout=20, blocking_timeout=60):
                with guard:
                    held[0] += 1
                    most[0] = max(most[0], held[0])
                    taken[0] += 1
                time.sleep(0.002)
                with guard:
                    held[0] -= 1

    workers = [threading.Thread(target=work, args=(node,), daemon=True) for node in cluster.nodes]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert (most[0], taken[0]) == (1, 60)


def test_delayed_jobs_are_promoted_once_each(make_cluster):
    cluster = make_cluster(3)
    for number in range(60):
        node = cluster.nodes[number % 3]
        until_done(lambda node=node, number=number: client(node).eval(ADD, 1, "q", f"job{number}", number % 20))
    added = int(until_done(lambda: client(cluster.nodes[0]).get("q:id")))

    def promote(node):
        while until_done(lambda: client(node).eval(PROMOTE, 1, "q", 20)) != 0:
            pass

    workers = [threading.Thread(target=promote, args=(node,), daemon=True) for node in cluster.nodes]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    waiting = until_done(lambda: client(cluster.nodes[1]).lrange("q:wait", 0, -1))
    assert len(waiting) == added >= 60
    assert len(set(waiting)) == len(waiting)
    same_state(cluster)


def test_what_never_ends_ends_on_every_node_and_again_at_replay(make_cluster):
    cluster = make_cluster(3)
    first = client(cluster.nodes[0])
    until_done(lambda: first.config_set("lua-steps-max", 20_000_000))
    poison = ["redis.call('set', 'k', 1) while true do end",
              "redis.call('set', 'k', 1) while true do pcall(function() while true do end end) end",
              "redis.call('set', 'k', 1) return string.find(string.rep('a', 28), string.rep('a?', 28) .. string.rep('a', 28))",
              "redis.call('set', 'k', 1) local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 1e5) .. i end",
              "redis.call('set', 'k', 1) local s = 'x' while true do s = s .. s end"]
    for script in poison:
        try:
            until_done_or_stopped(first, script)
        except redis.ResponseError as error:
            assert "script stopped" in str(error), error
        assert until_done(lambda: client(cluster.nodes[1]).get("k")) is None
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.start()
    cluster.wait_leader()
    assert until_done(lambda: client(cluster.nodes[2]).get("k")) is None
    until_done(lambda: client(cluster.nodes[2]).set("k", "after"))
    same_state(cluster)


def until_done_or_stopped(connection, script):
    while True:
        try:
            return connection.eval(script, 0)
        except redis.ResponseError as error:
            if "script stopped" in str(error):
                raise
        except (redis.ConnectionError, redis.TimeoutError):
            pass
        time.sleep(0.05)
