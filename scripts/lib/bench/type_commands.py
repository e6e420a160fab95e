"""The usual commands of each type, as workloads: one row of COMMANDS adds one.

A row's words are a template (load_templates.hpp). What it works on: SMALL keys with ten elements each,
which lie whole in their key's record, one key with BIG elements, which does not, or what `uses` brings,
made anew before each run because the command uses it up; what that costs is not counted.
"""

import dataclasses
import hashlib

import resp

SMALL = 20_000
BIG = 100_000
BITS = 1_000_000
VARIADIC = 100  # elements per command of a fill
WRITE, READ = "write", "read"

COMPARE_AND_DELETE = ("if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) "
                      "else return 0 end")
# A window of a second and a million calls, so that none is refused.
RATE_LIMITER = ("local n = redis.call('incr', KEYS[1]) "
                "if n == 1 then redis.call('pexpire', KEYS[1], ARGV[1]) end "
                "if n > tonumber(ARGV[2]) then return 0 end return 1")
SCRIPTS = (COMPARE_AND_DELETE, RATE_LIMITER)
LIMITED = 1000  # names that the rate limiter counts


def sha(script):
    return hashlib.sha1(script.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Command:
    type: str
    does: str
    words: str
    fill: str = None  # of FILLS, made once
    uses: str = None  # a key of USED, made before each run


FILLS = {  # name -> [(template, how many commands)]
    "strings": [(f"MSET {{{VARIADIC} string:@s@ @v64@ }}", SMALL // VARIADIC)],
    "bitmaps": [(f"SETRANGE bitmap:@s@ {BITS // 8 - 64} @v64@", 10)],
    "hlls": [("PFADD hll:@k100@ {50 @k1000000@ }", 20_000)],
    "hashes": [("HSET hash:@s@ {10 field:@k1000000@ @v12@ } field @v12@ number 1", SMALL)],
    "hash": [(f"HSET hash {{{VARIADIC} field:@s@ @v12@ }}", BIG // VARIADIC)],
    "lists": [("RPUSH list:@s@ {10 @v64@ }", SMALL)],
    "list": [(f"RPUSH list {{{VARIADIC} @v64@ }}", BIG // VARIADIC)],
    "sets": [("SADD set:@s@ {10 member:@k1000000@ }", SMALL)],
    "set": [(f"SADD set {{{VARIADIC} member:@s@ }}", BIG // VARIADIC)],
    "zsets": [("ZADD zset:@s@ {10 @r1000000@ member:@k1000000@ }", SMALL)],
    "zset": [(f"ZADD zset {{{VARIADIC} @r1000000@ member:@s@ }}", BIG // VARIADIC)],
    "geo": [(f"GEOADD geo {{{VARIADIC} 13.@r999999@ 52.@r999999@ member:@s@ }}", BIG // VARIADIC)],
    "stream": [("XADD stream 1-* field @v64@", BIG)],
}
USED = {  # key -> (template, elements per command)
    "used:list": (f"RPUSH used:list {{{VARIADIC} @v64@ }}", VARIADIC),
    "used:set": (f"SADD used:set {{{VARIADIC} member:@s@ }}", VARIADIC),
    "used:zset": (f"ZADD used:zset {{{VARIADIC} @r1000000000@ member:@s@ }}", VARIADIC),
    "used:lock": (f"MSET {{{VARIADIC} used:lock:@s@ mine }}", VARIADIC),
}

COMMANDS = {
    "setex": Command("string", WRITE, "SETEX string:@k20000@ 1000 @v64@", "strings"),
    "mget-10": Command("string", READ, "MGET {10 string:@k20000@ }", "strings"),
    "setbit": Command("bitmap", WRITE, f"SETBIT bitmap:@k10@ @r{BITS}@ 1", "bitmaps"),
    "bitfield-incrby": Command("bitmap", WRITE, f"BITFIELD bitmap:@k10@ INCRBY u8 @r{BITS - 8}@ 1", "bitmaps"),
    "getbit": Command("bitmap", READ, f"GETBIT bitmap:@k10@ @r{BITS}@", "bitmaps"),
    "bitcount-1KiB": Command("bitmap", READ, "BITCOUNT bitmap:@k10@ 20000 21023", "bitmaps"),
    "pfadd": Command("hyperloglog", WRITE, "PFADD hll:@k100@ @k100000000@", "hlls"),
    "pfcount": Command("hyperloglog", READ, "PFCOUNT hll:@k100@", "hlls"),
    "hset": Command("hash", WRITE, "HSET hash:@k20000@ field @v12@", "hashes"),
    "hincrby": Command("hash", WRITE, "HINCRBY hash:@k20000@ number 1", "hashes"),
    "hset-big": Command("hash", WRITE, "HSET hash field:@k100000@ @v12@", "hash"),
    "hget": Command("hash", READ, "HGET hash:@k20000@ field", "hashes"),
    "hmget-2": Command("hash", READ, "HMGET hash:@k20000@ field number", "hashes"),
    "hgetall-12": Command("hash", READ, "HGETALL hash:@k20000@", "hashes"),
    "hget-big": Command("hash", READ, "HGET hash field:@k100000@", "hash"),
    "rpush": Command("list", WRITE, "RPUSH pushed:@k100@ @v64@"),
    "lpop": Command("list", WRITE, "LPOP used:list", uses="used:list"),
    "lmove": Command("list", WRITE, "LMOVE list list LEFT RIGHT", "list"),
    "lset": Command("list", WRITE, "LSET list @r100000@ @v64@", "list"),
    "lrange-10": Command("list", READ, "LRANGE list:@k20000@ 0 9", "lists"),
    "lindex": Command("list", READ, "LINDEX list @r100000@", "list"),
    "sadd": Command("set", WRITE, "SADD added:@k20000@ member:@k10@"),
    "sadd-big": Command("set", WRITE, "SADD added member:@k1000000000@"),
    "spop": Command("set", WRITE, "SPOP used:set", uses="used:set"),
    "sismember": Command("set", READ, "SISMEMBER set member:@k100000@", "set"),
    "srandmember": Command("set", READ, "SRANDMEMBER set", "set"),
    "smembers-10": Command("set", READ, "SMEMBERS set:@k20000@", "sets"),
    "zadd": Command("zset", WRITE, "ZADD zset:@k20000@ @r1000000@ member", "zsets"),
    "zadd-new": Command("zset", WRITE, "ZADD added:zset @r1000000@ member:@k1000000000@"),
    "zadd-moves": Command("zset", WRITE, "ZADD zset @r1000000@ member:@k100000@", "zset"),
    "zincrby": Command("zset", WRITE, "ZINCRBY zset 1 member:@k100000@", "zset"),
    "zpopmin": Command("zset", WRITE, "ZPOPMIN used:zset", uses="used:zset"),
    "zscore": Command("zset", READ, "ZSCORE zset member:@k100000@", "zset"),
    "zrank": Command("zset", READ, "ZRANK zset member:@k100000@", "zset"),
    "zrevrange-10": Command("zset", READ, "ZREVRANGE zset 0 9 WITHSCORES", "zset"),
    "zrange-10-middle": Command("zset", READ, "ZRANGE zset 50000 50009", "zset"),
    "zrangebyscore-10": Command("zset", READ, "ZRANGEBYSCORE zset @r900000@ +inf LIMIT 0 10", "zset"),
    "geoadd": Command("geo", WRITE, "GEOADD geo 13.@r999999@ 52.@r999999@ member:@k100000@", "geo"),
    "geopos": Command("geo", READ, "GEOPOS geo member:@k100000@", "geo"),
    "geosearch-10": Command("geo", READ, "GEOSEARCH geo FROMLONLAT 13.@r999999@ 52.@r999999@ BYRADIUS 500 m "
                            "ASC COUNT 10", "geo"),
    "xrange-10": Command("stream", READ, "XRANGE stream 1-@r99000@ + COUNT 10", "stream"),
    # About two in three calls find the key that they delete: names are drawn, not counted.
    "evalsha-compare-and-delete": Command("script", WRITE, f"EVALSHA {sha(COMPARE_AND_DELETE)} 1 used:lock:@k{{}}@ "
                                          "mine", uses="used:lock"),
    "evalsha-rate-limiter": Command("script", WRITE, f"EVALSHA {sha(RATE_LIMITER)} 1 limit:@k{LIMITED}@ 1000 "
                                    "1000000"),
}
# Commands that `matrix` has of old, so that each type's rows stand together.
OTHERS = {"set": ("string", WRITE), "incr": ("string", WRITE), "mset": ("string", WRITE), "get": ("string", READ),
          "xadd": ("stream", WRITE), "xreadgroup": ("stream", WRITE), "xack": ("stream", WRITE)}
TYPES = ("string", "bitmap", "hyperloglog", "hash", "list", "set", "zset", "geo", "stream", "script")


def about(kind):
    """(type, WRITE or READ) of a workload's kind."""
    row = COMMANDS.get(kind)
    return (row.type, row.does) if row else OTHERS[kind]


def template(kind, requests):
    return COMMANDS[kind].words.replace("{}", str(requests)) if kind.startswith("evalsha") else COMMANDS[kind].words


def prepare(port, kind, requests, send):
    """What so many requests of it need. send(templates, how many commands) sends."""
    row = COMMANDS[kind]
    with resp.Client("127.0.0.1", port, 60) as client:
        for script in SCRIPTS if row.type == "script" else ():
            client.call("SCRIPT", "LOAD", script)
        if row.fill and not client.call("EXISTS", f"filled:{row.fill}"):
            for words, count in FILLS[row.fill]:
                send([words], count)
            client.call("SET", f"filled:{row.fill}", "yes")
        if row.uses:
            words, each = USED[row.uses]
            client.call("DEL", row.uses)
            send([words], requests // each + 1)
