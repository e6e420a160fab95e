"""All keys of two servers compared at the end: contents, deadlines, encodings, and each value as DUMP
writes it here and RESTORE reads it there, both ways.
"""

from diff.wire import Error

DATABASES = (b"0", b"1", b"2")
COPY = b"copy:of:a:dump"
CONTENTS = {
    b"string": ((b"GET", b"KEY"),),
    b"list": ((b"LRANGE", b"KEY", b"0", b"-1"),),
    b"set": ((b"SMEMBERS", b"KEY"),),
    b"hash": ((b"HGETALL", b"KEY"),),
    b"zset": ((b"ZRANGE", b"KEY", b"0", b"-1", b"WITHSCORES"),),
    b"stream": ((b"XRANGE", b"KEY", b"-", b"+"), (b"XINFO", b"STREAM", b"KEY", b"FULL", b"COUNT", b"0")),
}


def contents(pair, key, kind):
    for argv in CONTENTS.get(kind, ()):
        pair.run([word if word != b"KEY" else key for word in argv])


def has_dump(pair):
    """Kiwi had none in the beginning."""
    return not isinstance(pair.ours.call(b"DUMP", COPY), Error)


def held(side, argv, key):
    answer = side.call(*[word if word != b"KEY" else key for word in argv])
    return sorted(map(repr, answer or []))


def exchange(pair, key, kind):
    """What each side dumps, the other restores; then both copies hold what the key holds."""
    dumps = [side.call(b"DUMP", key) for side in (pair.ours, pair.theirs)]
    for side, payload, argv in ((pair.ours, dumps[1], b"theirs"), (pair.theirs, dumps[0], b"ours")):
        answer = side.call(b"RESTORE", COPY, b"0", payload, b"REPLACE")
        if answer != b"OK":
            pair.refuse([b"RESTORE", key, argv], repr(answer).encode(), payload)
    contents(pair, COPY, kind)
    # The copies agree with each other: do they agree with the key?
    for argv in CONTENTS.get(kind, ())[:1]:
        before, after = (held(pair.theirs, argv, name) for name in (key, COPY))
        if before != after:
            # Redis itself may lose something on this way: a sorted set that grew small again keeps a
            # score of -0 until it is restored as a listpack. What its own dump gives back counts.
            pair.theirs.call(b"RESTORE", COPY, b"0", dumps[1], b"REPLACE")
            before = held(pair.theirs, argv, COPY)
        if before != after:
            pair.refuse([b"RESTORE", key], repr(after).encode(), repr(before).encode())
    pair.run([b"DEL", COPY])


def compare(pair, keys):
    """Counts the values that went through DUMP and RESTORE."""
    pair.leave_block()
    dumped, dumps = 0, has_dump(pair)
    for database in DATABASES:
        pair.run([b"SELECT", database])
        for key in keys:
            kind = pair.theirs.call("TYPE", key)
            contents(pair, key, kind)
            for word in (b"TYPE", b"PTTL", b"EXISTS"):
                pair.run([word, key])
            pair.run([b"OBJECT", b"ENCODING", key])
            if dumps and kind != b"none":
                exchange(pair, key, kind)
                dumped += 1
    pair.run([b"SELECT", b"0"])
    return dumped
