"""The big keys of scripts/bench bigkeys: how each is loaded, and the commands that are timed on it."""

import dataclasses
from collections.abc import Callable

KEY, OTHER_KEY = "big", "big:other"
VARIADIC = 250  # elements per command
PLACES = 1000   # of which commands that name a place draw one
SCORES = 1_000_000_000
APPENDED = 1_000_000  # bytes per command
POPS, POP_COUNT = 1_000_000, 100
# About what an element takes in the table (MODEL 1), rounded up; of a string, a byte.
BYTES_EACH = {"list": 60, "zset": 220, "set": 200, "hash": 220, "string": 2}


@dataclasses.dataclass(frozen=True)
class Key:
    load: Callable      # members -> [(templates, requests, clients)]
    commands: Callable  # members, random -> [(name, templates)]
    scan: str = None    # its SCAN command
    pop: str = None     # is timed after `pops`, too
    pops: Callable = None  # members -> (templates, requests)


def big_string(wanted):
    """Bytes of the string: whole commands of it."""
    return max(1, wanted // APPENDED) * APPENDED


def variadic(words, clients):
    def load(members):
        return [([words], members // VARIADIC, clients)]

    return load


def places(members, random):
    """In the middle: between two fifths and three fifths."""
    return [random.randrange(members * 2 // 5, members * 3 // 5) for _ in range(PLACES)]


def list_commands(members, random):
    found = places(members, random)
    middle = [f"element:{place:012d}" for place in found]
    return [
        ("LINDEX middle", [f"LINDEX {KEY} {place}" for place in found]),
        ("LRANGE 10 middle", [f"LRANGE {KEY} {place} {place + 9}" for place in found]),
        ("LINSERT at the middle", [f"LINSERT {KEY} BEFORE {name} inserted:@k1000000@" for name in middle]),
        ("LREM 1 at the middle", [f"LREM {KEY} 1 {name}" for name in middle]),
        ("LSET middle", [f"LSET {KEY} {place} other:@k1000000@" for place in found[:PLACES // 10]]),
        ("RPUSH", [f"RPUSH {KEY} element:@k1000000@"]),
        ("LPOP", [f"LPOP {KEY}"]),
    ]


def zset_commands(members, random):
    return [
        ("ZRANK", [f"ZRANK {KEY} member:@k{members}@"]),
        ("ZSCORE", [f"ZSCORE {KEY} member:@k{members}@"]),
        ("ZRANGE 10 middle", [f"ZRANGE {KEY} {place} {place + 9}" for place in places(members, random)]),
        ("ZADD that moves", [f"ZADD {KEY} @r{SCORES}@ member:@k{members}@"]),
        ("ZADD new", [f"ZADD {KEY} @r{SCORES}@ new:@k1000000000@"]),
        ("ZPOPMIN", [f"ZPOPMIN {KEY}"]),
    ]


def zset_pops(members):
    """1 M, or nine tenths of a smaller set."""
    return [f"ZPOPMIN {KEY} {POP_COUNT}"], min(POPS, members * 9 // 10) // POP_COUNT


def set_commands(members, _):
    return [
        ("SISMEMBER", [f"SISMEMBER {KEY} member:@k{members}@"]),
        ("SRANDMEMBER", [f"SRANDMEMBER {KEY}"]),
        ("SADD new", [f"SADD {KEY} new:@k1000000000@"]),
        ("SPOP", [f"SPOP {KEY}"]),
    ]


def hash_commands(members, _):
    return [
        ("HGET", [f"HGET {KEY} field:@k{members}@"]),
        ("HSET", [f"HSET {KEY} field:@k{members}@ @v12@"]),
        ("HRANDFIELD", [f"HRANDFIELD {KEY}"]),
        ("HRANDFIELD 10 WITHVALUES", [f"HRANDFIELD {KEY} 10 WITHVALUES"]),
    ]


def string_commands(size, random):
    return [
        ("SETBIT", [f"SETBIT {KEY} @r{size * 8}@ 1"]),
        ("GETBIT", [f"GETBIT {KEY} @r{size * 8}@"]),
        ("GETRANGE 100 middle", [f"GETRANGE {KEY} {place} {place + 99}" for place in places(size, random)]),
        ("SETRANGE 100 middle", [f"SETRANGE {KEY} {place} @v100@" for place in places(size, random)]),
        ("STRLEN", [f"STRLEN {KEY}"]),
    ]


KEYS = {
    "list": Key(variadic(f"RPUSH {KEY} {{{VARIADIC} element:@s@ }}", 1), list_commands),  # one client: in order
    "zset": Key(variadic(f"ZADD {KEY} {{{VARIADIC} @r{SCORES}@ member:@s@ }}", 2), zset_commands, "ZSCAN", "ZPOPMIN",
                zset_pops),
    "set": Key(variadic(f"SADD {KEY} {{{VARIADIC} member:@s@ }}", 2), set_commands, "SSCAN"),
    "hash": Key(variadic(f"HSET {KEY} {{{VARIADIC} field:@s@ @v12@ }}", 2), hash_commands, "HSCAN"),
    "string": Key(lambda size: [([f"APPEND {KEY} @v{APPENDED}@"], size // APPENDED, 1)], string_commands),
}
