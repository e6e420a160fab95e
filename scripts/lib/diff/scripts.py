"""Scripts in Lua, drawn: calls of data commands whose answers have one order, and what scripts make of
them. Few different ones in a sequence of commands, so that EVALSHA finds some."""

import hashlib
import random

from diff import pools

KINDS = 60
CALLS = ['"get", {key}', '"set", {key}, {value}', '"incr", {key}', '"append", {key}, {value}', '"strlen", {key}',
         '"incrbyfloat", {key}, {number}', '"getrange", {key}, 0, -1', '"setnx", {key}, {value}',
         '"hset", {key}, {value}, {number}', '"hget", {key}, {value}', '"hlen", {key}', '"hincrby", {key}, {value}, 2',
         '"hmget", {key}, {value}, {value}', '"rpush", {key}, {value}, {number}', '"lpop", {key}', '"llen", {key}',
         '"lrange", {key}, 0, -1', '"rpoplpush", {key}, {key}', '"zadd", {key}, {number}, {value}',
         '"zrange", {key}, 0, -1, "withscores"', '"zscore", {key}, {value}', '"zrangebyscore", {key}, "-inf", "+inf"',
         '"zrem", {key}, {value}', '"sadd", {key}, {value}, {number}', '"scard", {key}', '"sismember", {key}, {value}',
         '"srem", {key}, {value}', '"exists", {key}', '"del", {key}', '"type", {key}', '"persist", {key}',
         '"expire", {key}, 100000', '"rename", {key}, {key}', '"setbit", {key}, 7, 1', '"bitcount", {key}', '"nope"',
         '"get"', '"multi"', '"config", "get", "x"', '"ping"', '"echo", {value}', '"xadd", {key}, "1-1", "f", {value}',
         '"xlen", {key}', '"object", "encoding", {key}', '"dbsize"', '"select", 3', '"hgetall", {key}']
RESULTS = ["return r", "return {r, r}", "return type(r)", "return tostring(r == false)", "return redis.status_reply('FINE')",
           "return redis.error_reply('MY error')", "error('thrown')", "error(type(r) == 'table' and r.err and r or tostring(type(r)))", "return {ok = 'so'}", "return {err = 'NO way'}",
           "return cjson.encode({r = type(r) == 'table' and #r or r})", "return redis.sha1hex(tostring(type(r)))",
           "return cmsgpack.pack({1, 'x', true})", "return struct.pack('<I4', 7)", "return bit.bxor(255, 15)",
           "return {KEYS[1] or 'none', ARGV[1] or 'none', #KEYS, #ARGV}", "return 3.99", "return {1, 2, nil, 4}", "return nope",
           "return tonumber(ARGV[1])", "return (ARGV[1] or ''):upper()", "return #(ARGV[1] or '')", "redis.setresp(3) return r",
           "return {double = 1.5}", "return {map = {a = 1}}", "return string.format('%s|%5.2f', ARGV[1] or '', 2.5)",
           "local t = {} for w in ('a b c'):gmatch('%a') do t[#t + 1] = w end return t", "x = 1", "return cjson.decode(ARGV[1])"]


def lua(word):
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in (34, 92) else "\\%03d" % b for b in word) + '"'


def drawn(seed):
    rng = random.Random(seed)
    keys = [lua(key) for key in pools.KEYS] + ["KEYS[1]"]
    lines = ["#!lua"] if rng.random() < 0.05 else []
    lines.append("local r")
    for _ in range(rng.randint(1, 4)):
        words = rng.choice(CALLS).format(key=rng.choice(keys), value=rng.choice(["ARGV[1]", lua(rng.choice(pools.MEMBERS))]),
                                         number=rng.choice(["1", "2", "-1", "0.5", "ARGV[2]"]))
        lines.append("r = redis.%s(%s)" % (rng.choice(["call", "pcall", "pcall"]), words))
    lines.append(rng.choice(RESULTS))
    return "\n".join(lines).encode("latin1")


def pool(rng):
    """The scripts of one sequence."""
    first = rng.randrange(1 << 40)
    return [drawn(first + number) for number in range(KINDS)]


def text(rng, texts):
    return pools.clumsy(rng, texts, [b"", b"return", b"x(", b"return {1,", b"#!lua", b"#!js\nreturn 1",
                                     b"#!lua flags=nope\nreturn 1"])


FUNCTIONS = [b"f0", b"f1", b"f2", b"f3", b"f4", b"l0f", b"l1f", b"l2f"]
LIBRARIES = [b"l0", b"l1", b"l2"]


def library(rng, texts):
    """The code of FUNCTION LOAD: functions whose bodies are scripts of the sequence."""
    parts = []
    place = rng.randrange(len(LIBRARIES))
    # The second one's name is this library's: of two that exist elsewhere Redis names any.
    for name in [rng.choice(FUNCTIONS[:5]), FUNCTIONS[5 + place]][: rng.randint(1, 2)]:
        body = rng.choice(texts).replace(b"#!lua\n", b"")
        if rng.random() < 0.6:
            parts.append(b"redis.register_function('%s', function(KEYS, ARGV)\n%s\nend)" % (name, body))
        else:
            flags = b", ".join(rng.sample([b"'no-writes'", b"'allow-oom'", b"'allow-stale'", b"'no-cluster'"], rng.randint(0, 2)))
            parts.append(b"redis.register_function{function_name = '%s', description = 'x', flags = {%s}, "
                         b"callback = function(KEYS, ARGV)\n%s\nend}" % (name, flags, body))
    code = b"#!lua name=%s\n%s" % (LIBRARIES[place], b"\n".join(parts))
    return pools.clumsy(rng, [code], [b"", b"return 1", b"#!lua", b"#!lua name=l 0\nx = 1", b"#!lua name=l0\n--", b"#!js name=l0\nx",
                                      code + b" x(", code + b"\nredis.call('get', 'x')",
                                      code + b"\nredis.register_function('f0', 1)",
                                      code + b"\nredis.register_function{function_name = 'g', nope = 1}"])


def sha1(rng, texts):
    found = hashlib.sha1(rng.choice(texts)).hexdigest().encode()
    return pools.clumsy(rng, [found, found.upper()], [b"", b"x", b"0" * 40])


class Count:
    """Scripts that were run, and the calls of commands that stand in them."""

    def __init__(self):
        self._seen, self.runs, self.good, self.calls, self.functions = set(), 0, 0, 0, 0

    def add(self, argv, succeeded, texts):
        """texts: those of the sequence. An EVALSHA that failed may not have found its script: it does not count."""
        name = argv[0].upper()
        self.functions += succeeded and name.startswith(b"FCALL")
        if not name.startswith(b"EVAL") or len(argv) < 2 or (b"SHA" in name and not succeeded):
            return
        by_sha = {hashlib.sha1(one).hexdigest().encode(): one for one in texts} if b"SHA" in name else {}
        script = by_sha.get(argv[1].lower(), b"") if b"SHA" in name else argv[1]
        if script not in texts:
            return
        self._seen.add(script)
        self.runs += 1
        self.good += succeeded
        self.calls += script.count(b"redis.call(") + script.count(b"redis.pcall(")

    def line(self):
        return (f"scripts: {len(self._seen)} different ones, run {self.runs} times ({self.good} without an error); "
                f"{self.calls} calls of commands stand in what was run; {self.functions} calls of functions")
