"""scripts/bench: its arithmetic, what it reads from redis-benchmark, and its own load generator."""
import random
import socket
import threading
import time

import pytest

import cluster as clusters
from bench import (bigkeys, bigkeys_types, generators, mixed, pair, pubsub, removal, scripts, stalls,
                   type_commands, types, verdicts, workloads)

REPORT = """====== SET ======
  20000 requests completed in 0.52 seconds
  keep alive: 1

Latency by percentile distribution:
0.000% <= 0.087 milliseconds (cumulative count 1)
50.000% <= 0.799 milliseconds (cumulative count 10086)
99.805% <= 6.295 milliseconds (cumulative count 19961)
99.902% <= 6.551 milliseconds (cumulative count 19981)
100.000% <= 7.151 milliseconds (cumulative count 20000)

Cumulative distribution of latencies:
99.995% <= 7.103 milliseconds (cumulative count 19999)

Summary:
  throughput summary: 38461.54 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.844     0.080     0.799     1.279     2.183     7.151
"""


def test_redis_benchmarks_report_is_read_up_to_the_last_percentile():
    assert generators.parse_redis_benchmark(REPORT) == {
        "rps": 38461.54, "p50_ms": 0.799, "p99_ms": 2.183, "p999_ms": 6.551, "max_ms": 7.151}
    assert generators.parse_redis_benchmark("Could not connect to Redis") is None


def result(system, workload, **figures):
    return {"system": system, "workload": workload, "rps": None, "cpu_s_per_million": None,
            "p50_ms": None, **figures}


def verdict_of(text, results, fdatasync_ms=None):
    return next(row for row in verdicts.judge(results, fdatasync_ms) if row["bar"] == text)


def test_a_verdict_is_the_quotient_of_medians():
    rate = "3 nodes SET c50 p16: rate / AOF"
    runs = [result("kiwi-3", verdicts.SET16, rps=rps) for rps in (90, 10_000, 60)]
    runs += [result("redis-aof", verdicts.SET16, rps=rps) for rps in (1, 100, 120)]
    row = verdict_of(rate, runs)
    assert row["measured"] == pytest.approx(0.9) and row["verdict"] == "met"
    assert verdict_of(rate, runs[:3])["verdict"] == "not measured"


def test_verdicts_know_which_side_is_good():
    def word(text, value):
        return verdicts.word(next(bar for bar in verdicts.BARS if bar.text == text), value)

    cost, rate = "3 nodes SET c50 p16: CPU per op / AOF", "3 nodes SET c50 p16: rate / AOF"
    assert [word(cost, value) for value in (2.2, 2.3, 3.5, 3.6)] == ["goal", "met", "met", "short"]
    assert [word(rate, value) for value in (1.0, 0.9, 0.5, 0.4)] == ["goal", "met", "met", "short"]


def test_the_lonely_writer_is_compared_with_the_disk_and_with_a_number():
    runs = [result("kiwi-3", verdicts.ALONE, p50_ms=0.6, cpu_s_per_million=800.0)]
    row = verdict_of("3 nodes SET c1: p50 / median fdatasync of three at once", runs, 0.4)
    assert row["measured"] == pytest.approx(1.5) and row["verdict"] == "goal"
    assert verdict_of("3 nodes SET c1: CPU s per M op", runs)["verdict"] == "short"


def test_every_bar_is_about_a_row_of_the_default_run():
    default = {(system, row.name) for row in workloads.chosen(None) for system in row.systems}
    for bar in verdicts.BARS:
        assert bar.of in default, bar.text
        assert bar.by in (None, verdicts.FDATASYNC) or bar.by in default, bar.text


def test_patterns_choose_workloads_and_unknown_ones_are_refused():
    assert [row.name for row in workloads.chosen("cold*")] == [
        "cold get c50 p16 64 B", "cold get c50 p1 64 B"]
    assert len(workloads.chosen("all")) > len(workloads.chosen(None))
    with pytest.raises(clusters.Failure, match="no workload is like 'sett"):
        workloads.chosen("sett*")
    cold = workloads.chosen("cold*")[0]
    assert cold.keys("redis", 8 << 20) == 2 * (8 << 20) // (cold.value + len("key:000000000000"))


def test_a_tail_is_of_what_was_due_then():
    samples = [(moment / 100, 1.0) for moment in range(100)] + [(1.5, 50.0), (2.5, 9.0)]
    assert stalls.tail(samples, 0, 1)["max_ms"] == 1.0
    assert stalls.tail(samples, 1, 2) == {"count": 1, "p50_ms": 50.0, "p99_ms": 50.0,
                                          "max_ms": 50.0}
    assert stalls.tail(samples, 3, 4) is None


class Sleeper(threading.Thread):
    """Answers every command, but for half a second nothing, once."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        connection, _ = self.listener.accept()
        begun, slept = time.monotonic(), False
        while True:
            data = connection.recv(1 << 20)
            if not data:
                return
            if not slept and time.monotonic() > begun + 0.5:
                time.sleep(0.5)
                slept = True
            connection.sendall(b"+OK\r\n" * data.count(b"SET"))


def test_a_steady_load_counts_latency_from_when_commands_were_due():
    """While the server sleeps 100 commands become due; a generator that waits with it would count
    one as slow."""
    server = Sleeper()
    server.start()
    said = generators.load(server.port, "set", clients=1, rate=200, seconds=2)
    assert said["requests"] == 400
    assert 400 < said["p99_ms"] <= said["max_ms"] < 1500


def test_a_load_that_meets_errors_fails_and_quotes_the_first():
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse():
        connection, _ = listener.accept()
        while connection.recv(1 << 20):
            connection.sendall(b"-OOM no room\r\n")

    threading.Thread(target=refuse, daemon=True).start()
    with pytest.raises(clusters.Failure, match="3 errors, the first: OOM no room"):
        generators.load(listener.getsockname()[1], "set", clients=1, requests=3)


def test_pairs_are_compared_run_by_run():
    runs = [{"side": side, "workload": "set", "rps": rps} for side, rps in
            (("before", 100), ("after", 110), ("after", 60), ("before", 50), ("before", 0),
             ("after", 10))]
    assert pair.quotients(runs, "set", "rps") == [pytest.approx(1.1), pytest.approx(1.2)]
    assert pair.quartiles([1.0]) == "-"
    assert pair.quartiles([1.0, 2.0, 3.0]) == "1.500-2.500"


def test_the_longest_waits_are_found():
    waits = [float(number) for number in range(1, 101)]
    assert removal.percentile(waits, 0.99) == 99
    assert removal.percentile(waits, 1.0) == 100
    assert removal.percentile([], 0.5) == 0


def test_every_type_has_writes_and_reads_that_are_measured():
    rows = types.rows_of(type_commands.TYPES)
    kinds = [row.kind for row in rows]
    assert set(kinds) == {*type_commands.COMMANDS, *type_commands.OTHERS}
    has = {type_commands.about(kind) for kind in kinds}
    assert {type_ for type_, does in has if does == type_commands.WRITE} == set(type_commands.TYPES)
    for row in type_commands.COMMANDS.values():
        assert row.fill is None or row.fill in type_commands.FILLS
        assert row.uses is None or row.uses in type_commands.USED
    assert all(row.systems == (types.WRITERS if type_commands.about(row.kind)[1] == type_commands.WRITE
                               else types.READERS) for row in rows)


class Hearer(threading.Thread):
    """Answers each command with an array in an array, and keeps what it was sent."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard = b""

    def run(self):
        connection, _ = self.listener.accept()
        while data := connection.recv(1 << 20):
            self.heard += data
            for byte in b"*2\r\n*1\r\n$-1\r\n$3\r\n*\r\n\r\n":
                connection.sendall(bytes([byte]))


def test_templates_become_commands_and_nested_answers_are_counted():
    server = Hearer()
    server.start()
    said = generators.commands(server.port, [(0, "RPUSH list {2 n:@s@ @v5@ }"), (0, "GET @k1@:@r1@")], clients=1,
                               requests=3, first=7)
    assert said["requests"] == 3 and said["errors"] == 0
    words = server.heard.split(b"\r\n")[:-1]
    assert words[:5] == [b"*6", b"$5", b"RPUSH", b"$4", b"list"]
    assert words[6] == b"n:000000000007" and words[10] == b"n:000000000008" and len(words[8]) == 5
    assert words[13:18] == [b"*2", b"$3", b"GET", b"$14", b"000000000000:0"]
    assert words[20] == b"RPUSH"  # the lines come in turn


def test_a_template_that_is_none_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        for line in ("GET @x@", "GET @r0@", "GET a@"):
            with pytest.raises(clusters.Failure, match="templates: "):
                generators.commands(server.getsockname()[1], [line], clients=1, requests=1)


def test_a_big_key_is_loaded_whole_and_its_commands_name_places_in_its_middle():
    chance = random.Random(1)
    for type_, key in bigkeys_types.KEYS.items():
        members = bigkeys_types.big_string(3_200_000) if type_ == "string" else 100_000
        each = bigkeys_types.APPENDED if type_ == "string" else bigkeys_types.VARIADIC
        assert sum(requests for _, requests, _ in key.load(members)) * each == members
        assert all(templates for _, templates in key.commands(members, chance))
        assert bigkeys.room(type_, members) >= 2 * members
    assert all(40 <= place < 60 for place in bigkeys_types.places(100, chance))
    assert bigkeys_types.zset_pops(10**7)[1] * bigkeys_types.POP_COUNT == 10**6
    assert bigkeys_types.zset_pops(10**6)[1] * bigkeys_types.POP_COUNT == 900_000


def test_mixed_data_is_as_much_as_was_asked_for_and_every_type_is_used():
    commands = mixed.counts(5)
    assert sum(commands[type_] * size for type_, (_, size, _) in mixed.DATA.items()) == pytest.approx(5e9, rel=0.01)
    lines = mixed.mix(commands)
    reads = sum(weight for weight, words in lines if words.split()[0] in
                ("GET", "HGETALL", "LRANGE", "SISMEMBER", "ZRANGE", "ZSCORE", "XREVRANGE"))
    assert reads * 2 == sum(weight for weight, _ in lines)
    assert all(any(f" {type_}:@k" in words for _, words in lines) for type_ in mixed.DATA)


class Publisher(threading.Thread):
    """Takes two subscribers, gives the first three messages in pieces, the other two, and closes that."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        clients = [self.listener.accept()[0] for _ in range(2)]
        for client in clients:
            client.recv(1000)
            client.sendall(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
        time.sleep(0.2)
        message = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\na*b\r\n"
        for byte in message * 3:
            clients[0].sendall(bytes([byte]))
        clients[1].sendall(message * 2)
        clients[1].close()
        time.sleep(5)


def test_subscribers_count_what_comes_and_who_was_closed():
    server = Publisher()
    server.start()
    heard = pubsub.Subscribers([server.port], 2)
    time.sleep(0.5)
    assert heard.stop() == {"messages": 5, "bytes": 5 * 36, "closed": 1}
    assert pubsub.Subscribers([], 0).stop()["messages"] == 0


def test_scripts_are_unlike_each_other_and_as_long_as_they_should_be():
    made = {scripts.text(number, 2000) for number in range(50)}
    assert len(made) == 50 and all(1800 < len(text) <= 2000 for text in made)
    assert scripts.library(3, 2000).startswith("#!lua name=library3\nredis.register_function('function3'")
    assert "KEYS" not in scripts.library(3, 2000)


def test_a_probe_that_waited_until_it_was_given_up_counts_as_others_do():
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        connection, _ = listener.accept()
        for text in (b"+OK\r\n", b"-TIMEOUT not committed yet\r\n", b"-BUSY so\r\n"):
            connection.recv(1000)
            connection.sendall(text)
        while connection.recv(1000):
            connection.sendall(b"+OK\r\n")

    threading.Thread(target=answer, daemon=True).start()
    found = removal.Prober(listener.getsockname()[1]).finish()
    assert found["refused"] == 2 and found["sets"] > 3
