"""Debian's prometheus-redis-exporter finds on a node what it finds on redis-server 7.0: the names of
all its metrics are compared, and what some of them say."""
from __future__ import annotations

import pytest

from support import exporter, oracle
from support.waiting import wait_until

# Metrics of redis-server that a node lacks, and why. A name that comes has to leave this list.
MISSING = {
    "redis_config_io_threads": "one thread serves all clients: there is no such option",
    "redis_io_threaded_reads_processed": "the same",
    "redis_io_threaded_writes_processed": "the same",
    "redis_dump_payload_sanitizations": "every payload of RESTORE is checked whole, none is counted",
    "redis_expired_stale_percentage": "due keys stand in an index: nobody samples them",
    "redis_expired_time_cap_reached_total": "the same: entries remove them, so many at a time",
    "redis_lazyfree_pending_objects": "records of what was flushed go bit by bit, uncounted",
    "redis_replica_partial_resync_denied": "who cannot use a delta asks for everything at once",
}

pytestmark = [pytest.mark.skipif(why is not None, reason=str(why))
              for why in (exporter.why_not(), oracle.why_not())]


def fill(server) -> None:
    with server.connect() as connection:
        connection.must("FLUSHALL")
        for number in range(20):
            connection.must("SET", f"exported:{number}", "value", "EX", 1000 + number)
        connection.must("RPUSH", "exported:list", "a", "b")
        connection.must("HSET", "exported:hash", "a", "1")
        connection.must("XADD", "exported:stream", "*", "field", "value")
        connection.must("XGROUP", "CREATE", "exported:stream", "group", "0")
        connection.must("XREADGROUP", "GROUP", "group", "consumer", "STREAMS", "exported:stream", ">")
        connection.must("GET", "exported:1")
        assert connection.call("GET", "nothing") is None
        connection.call("LPUSH", "exported:1", "wrong")  # an error, for errorstats
        connection.must("EVAL", "return redis.call('get', KEYS[1])", 1, "exported:1")


def compare(kiwi: exporter.Scrape, redis: exporter.Scrape) -> None:
    missing = redis.names - kiwi.names
    unknown = sorted(missing - set(MISSING))
    come = sorted(set(MISSING) - missing)
    assert not unknown, f"redis-server has them and this node has not: {', '.join(unknown)}"
    assert not come, f"they are there, so they need no excuse: {', '.join(come)}"
    assert kiwi.said == redis.said, kiwi.said
    assert kiwi.value("redis_exporter_last_scrape_error") == 0


@pytest.fixture
def redis():
    server = oracle.RedisServer()
    yield server
    server.close()


def test_a_node_alone_has_the_metrics_of_a_server_alone(single, redis):
    node = single.node(1)
    for server in (node, redis):
        fill(server)
    ours, theirs = (exporter.scrape(server.host, server.port) for server in (node, redis))
    compare(ours, theirs)
    assert ours.value("redis_up") == 1
    for name in ("redis_db_keys", "redis_db_keys_expiring"):
        assert ours.value(name, 'db="db0"') == theirs.value(name, 'db="db0"'), name
    assert ours.value("redis_number_of_cached_scripts") == 1
    assert ours.value("redis_errors_total", "WRONGTYPE") >= 1


def test_what_a_node_says_of_memory_fits_together(single):
    node = single.node(1)
    fill(node)
    scrape = exporter.scrape(node.host, node.port)
    used, rss = scrape.value("redis_memory_used_bytes"), scrape.value("redis_memory_used_rss_bytes")
    peak = scrape.value("redis_memory_used_peak_bytes")
    assert 0 < used <= peak
    assert used < rss < scrape.value("redis_total_system_memory_bytes")
    assert abs(rss - node.rss_bytes()) < rss / 4
    assert (scrape.value("redis_allocator_allocated_bytes")
            <= scrape.value("redis_allocator_active_bytes")
            <= scrape.value("redis_allocator_resident_bytes") <= rss * 1.1)
    assert scrape.value("redis_mem_fragmentation_ratio") == pytest.approx(rss / used, abs=0.01)
    parts = (scrape.value("redis_memory_used_overhead_bytes")
             + scrape.value("redis_memory_used_dataset_bytes"))
    assert parts == used
    assert 0 < scrape.value("redis_memory_used_startup_bytes") <= used
    assert 980 <= scrape.value("redis_db_avg_ttl_seconds", 'db="db0"') <= 1010


def test_used_memory_follows_what_is_stored(single):
    node = single.node(1)
    fill(node)
    before = int(node.info("memory")["used_memory"])
    with node.connect(60) as connection:
        for number in range(64):
            connection.must("SET", f"exported:big:{number}", "x" * (1 << 20))
    memory = node.info("memory")
    grown = int(memory["used_memory"]) - before
    assert grown > 48 << 20, f"{grown} bytes more for 64 MiB"
    known = int(memory["mem_table"]) + int(memory["mem_memtables"]) + int(memory["mem_block_cache"])
    assert known > 48 << 20, memory
    assert int(memory["used_memory_peak"]) >= int(memory["used_memory"])


def test_rates_are_measured(single):
    node = single.node(1)
    with node.connect() as connection:
        def busy():
            connection.pipeline([("PING", "x" * 1000)] * 200)
            stats = node.info("stats")
            return (int(stats["instantaneous_ops_per_sec"]) > 100
                    and float(stats["instantaneous_input_kbps"]) > 100
                    and float(stats["instantaneous_output_kbps"]) > 100)
        wait_until(busy, 20, "rates to show what comes and goes", interval=0)
    wait_until(lambda: float(node.info("stats")["instantaneous_input_kbps"]) < 10, 20,
               "rates to fall again", interval=0.3)


def test_every_node_of_a_cluster_has_the_metrics_of_a_master(shared, redis):
    """On the main port each is one, for each takes writes [P1]."""
    leader = shared.wait_leader()
    replica = oracle.RedisServer(options={"replicaof": f"{redis.host} {redis.port}"})
    try:
        follower = shared.followers()[0]
        for server in (leader, follower, redis):
            fill(server)
        shared.wait_applied_equal()
        wait_until(lambda: b"state=online" in redis.connect().must("INFO", "replication"), 20,
                   "redis' master to see its replica")
        theirs = exporter.scrape(redis.host, redis.port)
        for ours in (leader, follower):
            compare(exporter.scrape(ours.host, ours.port), theirs)
    finally:
        replica.close()
