"""What must be equal: the bytes of every reply, but for what Redis itself does not promise.

A row of RULES names a command's looser comparison; what README lists as a difference gets a row of
KNOWN, with the reason. Everything that stands in neither table must be equal byte by byte.
"""

import re

from diff.wire import Error, Pairs, Unordered


def flat(value):
    """A value without the wrappers that RESP3 gives and RESP2 does not."""
    if isinstance(value, Pairs):
        return [flat(item) for pair in value for item in pair]
    if isinstance(value, list):
        return [flat(item) for item in value]
    return value


def key_of(value):
    return repr(flat(value))


def same_type(left, right):
    return isinstance(left, Error) == isinstance(right, Error) and type(left) is type(right)


def unordered(left, right):
    return isinstance(left, list) and sorted(map(key_of, left)) == sorted(map(key_of, right))


def unordered_pairs(left, right):
    """HGETALL in RESP2: names and values in turn."""
    def pairs(value):
        if isinstance(value, Pairs):
            return sorted(map(key_of, value))
        return sorted(zip(map(key_of, value[::2]), map(key_of, value[1::2])))

    return isinstance(left, list) and pairs(left) == pairs(right)


def near(tolerance):
    def check(left, right):
        if isinstance(left, int) and isinstance(right, int) and left > 0 and right > 0:
            return abs(left - right) <= tolerance
        return left == right
    return check


def same_shape(left, right):
    """Random picks: as many, of the same kinds."""
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same_shape, left, right))
    return True


def stream_times(left, right):
    """XINFO and XPENDING: moments and idle times are about the same; of the nodes of a radix tree Kiwi
    has none."""
    return about(flat(left), flat(right))


def about(left, right, name=None):
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            about(one, other, left[at - 1] if at % 2 else None)
            for at, (one, other) in enumerate(zip(left, right)))
    if isinstance(left, int) and isinstance(right, int):
        if name == b"radix-tree-nodes":
            return True
        moments = min(left, right) > 10**11
        return left == right or ((moments or name == b"idle") and abs(left - right) <= 5000)
    return left == right


def pending(left, right):
    """Rows of XPENDING, which have an idle time; its summary has none."""
    if not (isinstance(left, list) and all(isinstance(row, list) and len(row) == 4 for row in left)):
        return False
    return len(left) == len(right) and all(
        one[:2] == other[:2] and one[3] == other[3] and abs(one[2] - other[2]) <= 5000
        for one, other in zip(left, right))


def has(argv, word):
    return any(given.lower() == word for given in argv)


def search(left, right, argv):
    """Of members equally far away either may be among the nearest."""
    if not has(argv, b"count") or not isinstance(left, list) or len(left) != len(right):
        return False
    return not has(argv, b"withdist") or sorted(one[1] for one in left) == sorted(one[1] for one in right)


def sort(left, right, argv):
    """BY a pattern without a star: in the order in which the elements stand."""
    patterns = [argv[at + 1] for at in range(2, len(argv) - 1) if argv[at].lower() == b"by"]
    if not patterns or b"*" in patterns[-1]:
        return False
    return same_shape(left, right) if has(argv, b"limit") else unordered(left, right)


# The same, for those where the arguments tell.
BY_ARGUMENTS = {
    "geosearch": search, "georadius": search, "georadius_ro": search, "georadiusbymember": search,
    "georadiusbymember_ro": search, "sort": sort, "sort_ro": sort,
}
RULES = {
    "keys": unordered, "smembers": unordered, "sunion": unordered, "sinter": unordered,
    "sdiff": unordered, "hkeys": unordered, "hvals": unordered, "hgetall": unordered_pairs,
    "ttl": near(1), "pttl": near(3000), "expiretime": near(1), "pexpiretime": near(3000),
    "srandmember": same_shape, "hrandfield": same_shape, "zrandmember": same_shape,
    "randomkey": lambda left, right: (left is None) == (right is None),
    "xinfo stream": stream_times, "xinfo consumers": stream_times, "xpending": pending,
    "dbsize": same_shape,  # keys that are over count until somebody removes them, at another time here
}
# Order in these tells nothing when the collection is a hash table, and everything when it is not:
# Redis' intsets and listpacks are ordered. Kiwi's own order is its keys', which README says.
KNOWN = (
    # (command pattern, pattern of our reply, pattern of theirs, why)
    ("object encoding", r"\$3\r\nint\r\n", r"\$6\r\nembstr\r\n", "an integer that INCRBYFLOAT wrote"),
    ("object encoding", r"\$3\r\nint\r\n|\$6\r\nembstr\r\n", r"\$3\r\nraw\r\n",
     "a SETBIT or BITFIELD that changed nothing"),
    ("object refcount", r":2147483647\r\n", r":1\r\n", "the same"),
    ("object idletime", r":0\r\n", r":\d\r\n", "nobody notes when a key was asked for"),
)


def known(name, ours, theirs):
    return next((why for command, left, right, why in KNOWN
                 if re.fullmatch(command, name) and re.fullmatch(left.encode(), ours, re.S)
                 and re.fullmatch(right.encode(), theirs, re.S)), None)


def equal(name, ours, theirs, argv=()):
    """ours, theirs: (bytes, value)"""
    if ours[0] == theirs[0]:
        return True
    if known(name, ours[0], theirs[0]):
        return True
    by_arguments = BY_ARGUMENTS.get(name)
    if by_arguments is not None:
        return same_type(ours[1], theirs[1]) and by_arguments(ours[1], theirs[1], argv)
    rule = RULES.get(name)
    if rule is None or ours[0][:1] != theirs[0][:1] or not same_type(ours[1], theirs[1]):
        return False
    if isinstance(ours[1], Error) or (isinstance(ours[1], Unordered) and rule is not same_shape
                                      and not unordered(ours[1], theirs[1])):
        return False
    return rule(ours[1], theirs[1])
