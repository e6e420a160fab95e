"""What arguments are drawn from: few keys over all types, sizes around every threshold, numbers that
are none, binary data, deadlines far away or long past (two servers do not share an instant).
"""

# Any command may name these, whatever they hold.
MIXED = [b"a", b"b", b"c", b"{t}d", b"", b"bin\r\n\x00\xff"]
# Keys that commands of a group like best, so that most commands meet a value of their type.
FAVOURITES = {"string": [b"s1", b"s2"], "bitmap": [b"s1", b"bits"], "hyperloglog": [b"hll1", b"hll2"],
              "list": [b"l1", b"l2"], "set": [b"set1", b"set2"], "sorted-set": [b"z1", b"z2"],
              "geo": [b"g1", b"g2"], "hash": [b"h1", b"h2"], "stream": [b"x1", b"x2"]}
# What SORT's patterns reach from elements: strings, and a field of hashes.
WEIGHTS = [b"w_0", b"w_1", b"w_2", b"w_a", b"w_b"]
WEIGHT_HASHES = [b"f_0", b"f_1", b"f_2", b"f_a", b"f_b"]
KEYS = MIXED + sorted({key for keys in FAVOURITES.values() for key in keys}) + WEIGHTS + WEIGHT_HASHES
SORTABLE = FAVOURITES["list"] + FAVOURITES["set"] + FAVOURITES["sorted-set"]
BY = [b"w_*", b"f_*->a", b"nosort", b"w_1", b"*", b"f_*->", b"->a", b"w_*->a", b"nothing_*"]
GET = [b"#", b"w_*", b"f_*->a", b"*", b"f_*->b", b"w_1", b"nothing_*", b""]

# Sizes at which Redis or Kiwi changes how a value lies in memory or on disk.
SIZES = (44, 45, 64, 65, 2047, 2048, 2049, 8191, 8192, 8193)
COUNTS = (99, 100, 101, 127, 128, 129, 511, 512, 513)
PACKED_BYTES = 2048  # of a small collection in the record of its key
MEMBERS = [b"", b"0", b"1", b"2", b"-1", b"10", b"007", b"a", b"b", b"c", b"A", b"hello", b"\x00\x01\r\n",
           b"\xff\xfe", "é".encode(), b"9223372036854775807", b"3.5", b"x" * 64, b"x" * 65]
INTEGERS = [b"0", b"1", b"-1", b"2", b"3", b"-2", b"5", b"7", b"100", b"-7", b"-100"]
# Positions in bytes around a string's chunks, and from its end.
POSITIONS = INTEGERS + [b"2047", b"2048", b"8191", b"8192", b"8193", b"16384", b"-8192", b"-8193"]
# The same in bits.
BIT_OFFSETS = [b"0", b"1", b"7", b"8", b"63", b"100", b"16383", b"16384", b"65535", b"65536", b"65537", b"131071"]
BAD_INTEGERS = [b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"x", b"",
                b"1.5", b" 3", b"+4", b"0x10", b"1e3", b"4294967296", b"-9223372036854775809"]
DOUBLES = [b"0", b"1", b"-1", b"0.5", b"1.5", b"-2.25", b"3", b"10", b"100", b"1e3", b"-0", b"inf",
           b"-inf", b"+inf", b"3.14159265358979", b"0.1", b"17179869184", b"1e300", b"5e-324"]
BAD_DOUBLES = [b"nan", b"x", b"", b" 1", b"1 ", b"0x1p3", b"1e400", b"infinity", b"--1", b"1e", b"1.2.3"]
PATTERNS = [b"*", b"?", b"a*", b"[a-c]", b"[^a]", b"*1", b"\\*", b"", b"h[ae]llo", b"[", b"*a*b*"]
STREAM_IDS = [b"0", b"1-1", b"2", b"3-5", b"5-1", b"10", b"20-7", b"40", b"0-0", b"x", b"5-x", b"18446744073709551615-0"]
# What is pending is older or younger than these, whatever a server takes to answer.
IDLE_TIMES = [b"0", b"0", b"0", b"-5", b"1000000000"]
THRESHOLDS = [b"0", b"1", b"2", b"3", b"10", b"50", b"100", b"101", b"1000"]  # of XTRIM
ENTRIES = (1, 5, 99, 100, 101, 130)        # in a row: a node has at most a hundred
ENTRY_BYTES = (0, 1, 5, 20, 60, 127, 400)  # of a value: and at most 4,096 bytes
LEX = [b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[", b"(", b"a", b"[\xff", b"(hello"]
SCORE_BOUNDS = [b"-inf", b"+inf", b"(1", b"(0.5", b"1", b"0", b"5", b"(", b"(inf", b"x", b"(x", b"-1"]
EDGE_PLACES = {"longitude": [b"0", b"180", b"-180", b"-179.999", b"181", b"-200", b"x", b"nan", b"inf"],
               "latitude": [b"0", b"85.05112878", b"-85.05112878", b"84.9", b"86", b"-91", b"x", b"nan", b""]}
BAD_LENGTHS = [b"0", b"-1", b"x", b"inf", b"1e300", b"nan", b""]


def clumsy(rng, good, bad):
    return rng.choice(bad) if rng.random() < 0.12 else rng.choice(good)


def integer(rng):
    return clumsy(rng, INTEGERS, BAD_INTEGERS)


def double(rng):
    return clumsy(rng, DOUBLES, BAD_DOUBLES)


def member(rng):
    """A small pool, so that commands meet what others wrote; sometimes around a threshold."""
    if rng.random() < 0.03:
        return bytes([rng.choice(b"pqz")]) * rng.choice(SIZES)
    return rng.choice(MEMBERS)


def series(rng):
    """How many, and a function that makes the n-th: different members, around a threshold of number,
    or of bytes together."""
    begin = rng.choice((0, 0, 50))
    size = rng.choice((0, 0, 8, 20, 63, 64, 65))
    if size == 0:
        return rng.choice(COUNTS), lambda number: b"%d" % (begin + number)
    times = rng.choice((PACKED_BYTES // (size + 2) + rng.randint(-2, 3), rng.choice(COUNTS)))
    return times, lambda number: (b"m%d" % (begin + number)).ljust(size, b".")


def coordinate(rng, name):
    """Hardly ever the same twice: of equal distances Redis takes any."""
    if rng.random() < 0.08:
        return rng.choice(EDGE_PLACES[name])
    middle = rng.choice((15, 15, -179.9, 100) if name == "longitude" else (38, 38, 80, -30))
    return b"%.9f" % (middle + rng.uniform(-0.05, 0.05) if rng.random() < 0.7 else middle + rng.uniform(-5, 5))


def length(rng):
    return rng.choice(BAD_LENGTHS) if rng.random() < 0.1 else b"%d" % 10 ** rng.uniform(0, 5)


def deadline(rng, now, unit_ms):
    """Absolute. Never the same twice: GT and LT of equal deadlines depend on the millisecond."""
    if rng.random() < 0.15:
        return rng.choice([b"0", b"-1", b"1", b"x", b"9223372036854775807", b"-9223372036854775808"])
    later = now + rng.randint(5_000, 90_000)
    return b"%d" % (later * 1000 + rng.randint(0, 999) if unit_ms else later)


def duration(rng, unit_ms):
    if rng.random() < 0.15:
        return rng.choice([b"0", b"-1", b"x", b"", b"9223372036854775807", b"-9223372036854775808"])
    seconds = rng.randint(5_000, 90_000)
    return b"%d" % (seconds * 1000 + rng.randint(0, 999) if unit_ms else seconds)
