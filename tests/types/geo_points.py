#!/usr/bin/env python3
"""Prints what a running redis-server 7.0 makes of places: geo_points.py PORT > geo_points.txt

A line is: longitude latitude score geohash, and the distance from the place before, in metres.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../resp/recorded"))
from record import Server  # noqa: E402

KINDS = (
    lambda r, last: (r.uniform(-180, 180), r.uniform(-85.05, 85.05)),
    lambda r, last: (last[0] + r.uniform(-1e-3, 1e-3), last[1] + r.uniform(-1e-3, 1e-3)),
    lambda r, last: (last[0] + r.uniform(-2, 2), last[1] + r.uniform(-2, 2)),
    lambda r, last: (r.uniform(-180, 180), r.choice((-1, 1)) * r.uniform(84.9, 85.05112878)),
    lambda r, last: (r.choice((-1, 1)) * r.uniform(179.999, 180), r.uniform(-85, 85)),
    lambda r, last: last,
    lambda r, last: (last[0] - 180 if last[0] > 0 else last[0] + 180, -last[1]),  # opposite
    lambda r, last: (r.choice((-180, 0, 180)), r.choice((-85.05112878, 0, 85.05112878))),
)


def places(count):
    draw, last = random.Random(1), (0.0, 0.0)
    for number in range(count):
        x, y = KINDS[number % len(KINDS)](draw, last)
        last = (round(max(-180, min(180, x)), 6), round(max(-85.05112878, min(85.05112878, y)), 8))
        yield last


def words(reply):
    return [line.decode() for line in reply.split(b"\r\n") if line[:1] not in b"*$"]


def main():
    server = Server(int(sys.argv[1]))
    server.run([b"flushall"])
    for number, (x, y) in enumerate(places(2000)):
        server.run([b"geoadd", b"g", b"%r" % x, b"%r" % y, b"%d" % number])
        name, before = b"%d" % number, b"%d" % max(0, number - 1)
        print("%r %r" % (x, y), *words(server.run([b"zscore", b"g", name])),
              *words(server.run([b"geohash", b"g", name])),
              *words(server.run([b"geodist", b"g", before, name])))


main()
