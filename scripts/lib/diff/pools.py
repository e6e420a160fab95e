"""What arguments are drawn from: few keys over all types, sizes around every threshold, numbers that
are none, binary data, deadlines far away or long past (two servers do not share an instant).
"""

KEYS = [b"a", b"b", b"c", b"{t}d", b"", b"bin\r\n\x00\xff"]
# Sizes at which Redis or Kiwi changes how a value lies in memory or on disk.
SIZES = (44, 45, 64, 65, 2047, 2048, 2049, 8191, 8192, 8193)
COUNTS = (127, 128, 129, 511, 512, 513)
MEMBERS = [b"", b"0", b"1", b"2", b"-1", b"10", b"007", b"a", b"b", b"c", b"A", b"hello", b"\x00\x01\r\n",
           b"\xff\xfe", "é".encode(), b"9223372036854775807", b"3.5", b"x" * 64, b"x" * 65]
INTEGERS = [b"0", b"1", b"-1", b"2", b"3", b"-2", b"5", b"7", b"100", b"-7", b"-100"]
BAD_INTEGERS = [b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"x", b"",
                b"1.5", b" 3", b"+4", b"0x10", b"1e3", b"4294967296", b"-9223372036854775809"]
DOUBLES = [b"0", b"1", b"-1", b"0.5", b"1.5", b"-2.25", b"3", b"10", b"100", b"1e3", b"-0", b"inf",
           b"-inf", b"+inf", b"3.14159265358979", b"0.1", b"17179869184", b"1e300", b"5e-324"]
BAD_DOUBLES = [b"nan", b"x", b"", b" 1", b"1 ", b"0x1p3", b"1e400", b"infinity", b"--1", b"1e", b"1.2.3"]
PATTERNS = [b"*", b"?", b"a*", b"[a-c]", b"[^a]", b"*1", b"\\*", b"", b"h[ae]llo", b"[", b"*a*b*"]
LEX = [b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[", b"(", b"a", b"[\xff", b"(hello"]
SCORE_BOUNDS = [b"-inf", b"+inf", b"(1", b"(0.5", b"1", b"0", b"5", b"(", b"(inf", b"x", b"(x", b"-1"]


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
