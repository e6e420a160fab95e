"""What the figures of scripts/bench must be, as a table, and the judgement of a run by it.

"AOF" is redis-server with appendfsync always, "MEM" without persistence. A figure is a median over
the repeats, or the quotient of two medians of the same run.
"""

import dataclasses
import operator
import statistics

SET16, SET1, ALONE = "set c50 p16 64 B", "set c50 p1 64 B", "set c1 p1 64 B"
GET16, GET1 = "get c50 p16 64 B", "get c50 p1 64 B"
STALE16, COLD16 = "stale c50 p16 64 B", "cold get c50 p16 64 B"
FDATASYNC = ("fdatasync",)  # the probe of syncs.py instead of a system

LESS, MORE = "<=", ">="
COMPARE = {LESS: operator.le, MORE: operator.ge}


@dataclasses.dataclass(frozen=True)
class Bar:
    text: str
    key: str  # of a result row
    of: tuple  # (system, workload)
    by: tuple  # the same, FDATASYNC, or None for the figure itself
    sign: str
    required: float
    goal: float
    redisraft: float = None  # measured earlier on such a machine, for comparison


def _against(system, workload, other):
    return (system, workload), (other, workload)


BARS = [
    Bar("3 nodes SET c50 p16: CPU per op / AOF", "cpu_s_per_million",
        *_against("kiwi-3", SET16, "redis-aof"), LESS, 3.5, 2.2, 13.6),
    Bar("3 nodes SET c50 p16: rate / AOF", "rps",
        *_against("kiwi-3", SET16, "redis-aof"), MORE, 0.5, 1.0, 0.09),
    Bar("3 nodes SET c50 p1: CPU per op / AOF", "cpu_s_per_million",
        *_against("kiwi-3", SET1, "redis-aof"), LESS, 3, 2.5, 3.5),
    Bar("3 nodes SET c50 p1: rate / AOF", "rps",
        *_against("kiwi-3", SET1, "redis-aof"), MORE, 0.7, 1.0, 0.57),
    Bar("3 nodes SET c1: p50 / median fdatasync of three at once", "p50_ms",
        ("kiwi-3", ALONE), FDATASYNC, LESS, 2, 1.5),
    Bar("3 nodes SET c1: CPU s per M op", "cpu_s_per_million",
        ("kiwi-3", ALONE), None, LESS, 747, 500, 747),
    Bar("1 node SET c50 p16: rate / AOF", "rps",
        *_against("kiwi-1", SET16, "redis-aof"), MORE, 0.8, 1.2),
    Bar("1 node SET c50 p1: rate / AOF", "rps",
        *_against("kiwi-1", SET1, "redis-aof"), MORE, 0.8, 1.0),
    Bar("linearizable GET at the leader c50 p1: rate / MEM", "rps",
        *_against("kiwi-3", GET1, "redis"), MORE, 0.6, 0.9, 0.77),
    Bar("linearizable GET at the leader c50 p16: rate / MEM", "rps",
        *_against("kiwi-3", GET16, "redis"), MORE, 0.4, 0.7, 0.15),
    Bar("GET on a follower / on the leader, c50 p1: rate", "rps",
        *_against("kiwi-3-follower", GET1, "kiwi-3"), MORE, 0.7, 0.9),
    Bar("GET on a follower / on the leader, c50 p16: rate", "rps",
        *_against("kiwi-3-follower", GET16, "kiwi-3"), MORE, 0.7, 0.9),
    Bar("stale GET c50 p16 on the leader: rate / MEM", "rps",
        *_against("kiwi-3", STALE16, "redis"), MORE, 0.5, 0.8, 0.75),
    Bar("stale GET c50 p16 on a follower: rate / MEM", "rps",
        *_against("kiwi-3-follower", STALE16, "redis"), MORE, 0.5, 0.8, 0.75),
    Bar("cold GET (data = 2 x cache) c50 p16: rate / MEM", "rps",
        *_against("kiwi-3", COLD16, "redis"), MORE, 0.15, 0.25),
    Bar("SET c50 p1: rate / etcd put", "rps", *_against("kiwi-3", SET1, "etcd-3"), MORE, 8, 15),
    Bar("GET c50 p1: rate / etcd linearizable get", "rps",
        *_against("kiwi-3", GET1, "etcd-3"), MORE, 10, 20),
]


def median(results, system, workload, key):
    values = [row[key] for row in results if row["system"] == system
              and row["workload"] == workload and row[key] is not None]
    return statistics.median(values) if values else None


def measured(bar, results, fdatasync_ms):
    """The bar's figure, or None where the run has not what it needs."""
    value = median(results, *bar.of, bar.key)
    if bar.by is None or value is None:
        return value
    base = fdatasync_ms if bar.by is FDATASYNC else median(results, *bar.by, bar.key)
    return value / base if base else None


def word(bar, value):
    if value is None:
        return "not measured"
    met = COMPARE[bar.sign]
    return "goal" if met(value, bar.goal) else "met" if met(value, bar.required) else "short"


def judge(results, fdatasync_ms):
    """One dictionary per bar."""
    judged = []
    for bar in BARS:
        value = measured(bar, results, fdatasync_ms)
        judged.append({"bar": bar.text, "sign": bar.sign, "required": bar.required,
                       "goal": bar.goal, "redisraft": bar.redisraft, "measured": value,
                       "verdict": word(bar, value)})
    return judged


def lines(judged):
    for row in judged:
        value = "-" if row["measured"] is None else f"{row['measured']:.3g}"
        yield (f"{row['bar']}: required {row['sign']} {row['required']:g}, goal {row['sign']} "
               f"{row['goal']:g}: measured {value} -> {row['verdict']}")
