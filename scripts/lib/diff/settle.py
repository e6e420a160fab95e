"""Commands whose effect or answer Redis leaves open: what this side did is done on the other, or found
there.
"""

from diff.wire import Error, Pairs

CLOSE = 1e-12  # relative: the last digits of a distance


def spop(pair, argv):
    """Ours draws; theirs must have what was drawn, and loses it."""
    pair.ours.send(argv)
    ours = pair.ours.receive()
    if isinstance(ours[1], Error) or ours[1] is None or ours[1] == []:  # a member may be empty
        pair.theirs.send(argv)
        pair.must_agree(argv, "spop", ours, pair.theirs.receive())
        return not isinstance(ours[1], Error)
    drawn = list(ours[1]) if isinstance(ours[1], list) else [ours[1]]
    had = pair.theirs.call("SCARD", argv[1])
    removed = pair.theirs.call("SREM", argv[1], *drawn)
    count = int(argv[2]) if len(argv) > 2 else 1
    if removed != len(drawn) or len(drawn) != min(count, had) or \
            ours[0][:1] != (b"$" if len(argv) == 2 else ours[0][:1]):
        pair.refuse(argv, ours[0], b"%d of %d members" % (removed, had))
    return True


def picks(argv, picked, option):
    """[(member, value or None)] of a random command's answer."""
    if picked is None:
        return []
    if not isinstance(picked, list):
        return [(picked, None)]
    with_more = len(argv) > 3 and argv[3].lower() == option
    if not with_more:
        return [(one, None) for one in picked]
    if isinstance(picked, Pairs) or (picked and isinstance(picked[0], list)):
        return [tuple(pair) for pair in picked]
    return list(zip(picked[::2], picked[1::2]))


def must_be_there(pair, argv, found, ask):
    for one, value in found:
        theirs = pair.theirs.call(*ask(one))
        if theirs in (None, 0) or (value is not None and theirs != value):
            pair.refuse(argv, repr((one, value)).encode(), repr(theirs).encode())
    count = int(argv[2]) if len(argv) > 2 else 1
    if count > 0 and len({one for one, _ in found}) != len(found):
        pair.refuse(argv, repr(found).encode(), b"picked twice")


def srandmember(pair, argv, picked):
    must_be_there(pair, argv, picks(argv, picked, b""), lambda one: (b"SISMEMBER", argv[1], one))


def hrandfield(pair, argv, picked):
    must_be_there(pair, argv, picks(argv, picked, b"withvalues"), lambda one: (b"HGET", argv[1], one))


def zrandmember(pair, argv, picked):
    must_be_there(pair, argv, picks(argv, picked, b"withscores"), lambda one: (b"ZSCORE", argv[1], one))


SEARCHES = {"geosearchstore", "georadius", "georadiusbymember"}


def destination_of(argv):
    """Where a search stores what it found, or None; and whether it is distances."""
    words = [word.lower() for word in argv]
    if words[0] == b"geosearchstore":
        return (argv[1] if len(argv) > 1 else None), b"storedist" in words[3:]
    stores = [at for at in range(5, len(words) - 1) if words[at] in (b"store", b"storedist")]
    return (argv[stores[-1] + 1], words[stores[-1]] == b"storedist") if stores else (None, False)


def near(left, right):
    return abs(left - right) <= CLOSE * abs(left) + 1e-9


def stored_search(pair, argv, _):
    """Of members equally far away either may be among the nearest, and distances differ in their last
    digits. Then theirs gets what ours has."""
    key, distances = destination_of(argv)
    if key is None:
        return
    ours, theirs = (dict(scored(side.call(b"ZRANGE", key, b"0", b"-1", b"WITHSCORES")))
                    for side in (pair.ours, pair.theirs))
    if ours == theirs:
        return
    same = ours.keys() == theirs.keys() and distances and all(near(score, theirs[member])
                                                              for member, score in ours.items())
    nearest = b"count" in [word.lower() for word in argv] and len(ours) == len(theirs)
    if not same and not nearest:
        pair.refuse(argv, repr(ours).encode(), repr(theirs).encode())
    pair.theirs.call(b"DEL", key)
    for member, score in ours.items():
        pair.theirs.call(b"ZADD", key, repr(score).encode(), member)


def scored(members):
    """[(member, score)] of WITHSCORES, in either protocol."""
    pairs = members if members and isinstance(members[0], list) else list(zip(members[::2], members[1::2]))
    return [(member, float(score[1] if isinstance(score, tuple) else score)) for member, score in pairs]


# Run here in place of the usual way, and behind it.
INSTEAD = {"spop": spop}
AFTER = {"srandmember": srandmember, "hrandfield": hrandfield, "zrandmember": zrandmember,
         **{name: stored_search for name in SEARCHES}}


def cannot_queue(argv, name):
    """Nobody could settle it between the commands of a block; nor does a block find what only reads ran."""
    if name in ("evalsha", "evalsha_ro", "script exists"):
        return True
    return name in SEARCHES and destination_of(argv)[0] is not None
