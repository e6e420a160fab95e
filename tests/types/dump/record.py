#!/usr/bin/env python3
"""Writes what redis-server 7.0 makes of values of every encoding: recorded_payloads.hpp (DUMP) and
recorded_files.hpp (whole RDB files).

Run by hand with a server on the port given, whose data goes; the tests read what it wrote.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "scripts", "lib"))
import resp  # noqa: E402

LONG = b"0123456789" * 10
CASES = [
    ("text", [("SET", "k", "hello")]),
    ("int8", [("SET", "k", "-7")]),
    ("int16", [("SET", "k", "12345")]),
    ("int32", [("SET", "k", "-2147483648")]),
    ("int64", [("SET", "k", "9223372036854775807")]),
    ("almost a number", [("SET", "k", "007")]),
    ("compressed", [("SET", "k", b"a" * 1000)]),
    ("compressed by repetition", [("SET", "k", LONG)]),
    ("long", [("SET", "k", bytes(range(1, 255)) * 3)]),
    ("list", [("RPUSH", "k", "a", "1", "-1", "4095", "-4097", "40000", "8388607", "3000000000",
               "-9223372036854775808", b"x" * 63, b"y" * 64, "")]),
    ("list of several nodes", [("RPUSH", "k", *[b"element %d" % i + b"z" * 300 for i in range(40)])]),
    ("list with a long element", [("RPUSH", "k", "a", b"q" * 5000, "b")]),
    ("intset16", [("SADD", "k", "3", "-2", "1000")]),
    ("intset32", [("SADD", "k", "3", "-2", "100000")]),
    ("intset64", [("SADD", "k", "3", "-9223372036854775808", "1000")]),
    ("set", [("SADD", "k", "a", "b", "3")]),
    ("hash", [("HSET", "k", "f", "v", "n", "17", "", "empty")]),
    ("hash table", [("HSET", "k", "f", "v" * 65, "g", "5")]),
    ("sorted set", [("ZADD", "k", "1", "a", "-0.5", "b", "1e100", "c", "inf", "d")]),
    ("sorted set table", [("ZADD", "k", "1.5", "m" * 65, "-inf", "b")]),
    ("stream", [("XADD", "k", "1-1", "f", "v"), ("XADD", "k", "2-0", "f", "w", "g", ""),
                ("XADD", "k", "18446744073709551614-7", "f", "-7")]),
    ("stream without entries", [("XGROUP", "CREATE", "k", "g", "0", "MKSTREAM")]),
    ("stream of several nodes",
     [("XADD", "k", "%d-%d" % (i * 1000, i % 3), "n", i, "text", b"t" * (i % 90)) for i in range(1, 251)]
     + [("XDEL", "k", "1000-1", "2000-2", "107000-2"), ("XTRIM", "k", "MINID", "5000")]),
    ("stream with its last entries deleted",
     [("XADD", "k", "%d-0" % i, "f", i) for i in range(1, 9)] + [("XDEL", "k", "7-0", "8-0"),
                                                                ("XTRIM", "k", "MINID", "7")]),
    ("stream with groups",
     [("XADD", "k", "%d-0" % i, "f", i) for i in range(1, 31)]
     + [("XGROUP", "CREATE", "k", name, start) for name, start in (("a", "0"), ("12", "5-0"), ("z", "$"))]
     + [("XREADGROUP", "GROUP", "a", who, "COUNT", count, "STREAMS", "k", ">")
        for who, count in (("one", 7), ("two", 4), ("3", 5))]
     + [("XREADGROUP", "GROUP", "12", "one", "STREAMS", "k", ">"), ("XACK", "k", "a", "2-0", "9-0", "13-0"),
        ("XCLAIM", "k", "a", "two", 0, "3-0", "12-0", "RETRYCOUNT", 300, "TIME", 1700000000000),
        ("XDEL", "k", "4-0"), ("XGROUP", "CREATECONSUMER", "k", "a", "idle"),
        ("XGROUP", "SETID", "k", "z", "20-0", "ENTRIESREAD", 20)]),
]


DEADLINE = 2790000000123
FILES = [
    ("plain", [
        ("SET", "text", "hello"), ("SET", "number", "-7"), ("SET", "long", b"a" * 1000),
        ("SET", "late", "kept", "PXAT", DEADLINE),
        ("RPUSH", "list", "a", "1", b"y" * 64, ""), ("RPUSH", "long list", *range(3000)),
        ("SADD", "numbers", "3", "-2", "100000"), ("SADD", "members", "a", "b", "3"),
        ("HSET", "hash", "f", "v", "n", "17"), ("HSET", "table", "f", b"v" * 65),
        ("PEXPIREAT", "hash", DEADLINE),
        ("SELECT", 3), ("SET", "text", "of another database"), ("SELECT", 0)]),
    ("everything", [
        ("SET", "before", "1"),
        ("ZADD", "scores", "1", "a", "2.5", "b"), ("ZADD", "many scores", *(str(i) for i in range(400))),
        ("XADD", "stream", "1-1", "f", "v"), ("XADD", "stream", "2-1", "f", "w", "g", "x"),
        ("XGROUP", "CREATE", "stream", "group", "0"),
        ("XREADGROUP", "GROUP", "group", "reader", "COUNT", "1", "STREAMS", "stream", ">"),
        ("FUNCTION", "LOAD", "REPLACE",
         "#!lua name=lib\nredis.register_function('f', function() return 1 end)"),
        ("SET", "behind", "2")]),
]


def write_header(name, what, struct, rows):
    out = [f"// Written by record.py from redis-server 7.0: {what}.", "#pragma once", "",
           "#include <string_view>", "#include <vector>", "", "namespace kiwi::resp::dump {", "",
           f"struct {struct} {{", "  std::string_view name;", "  std::string_view hex;", "};", "",
           f"inline const std::vector<{struct}> k{struct}s = {{"]
    for row, data in rows:
        text = data.hex()
        parts = [text[at:at + 80] for at in range(0, len(text), 80)]
        out.append(f'    {{"{row}",')
        out += [f'     "{part}"' for part in parts[:-1]] + [f'     "{parts[-1]}"}},']
    out += ["};", "", "}  // namespace kiwi::resp::dump", ""]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(out))
    subprocess.run(["clang-format", "-i", path], check=True)


def payload(client, commands):
    client.call("DEL", "k")
    for argv in commands:
        client.call(*argv)
    return client.call("DUMP", "k")


def rdb_file(client, commands):
    client.call("FLUSHALL")
    client.call("FUNCTION", "FLUSH")
    for argv in commands:
        client.call(*argv)
    client.call("SAVE")
    where = [client.call("CONFIG", "GET", name)[1].decode() for name in ("dir", "dbfilename")]
    with open(os.path.join(*where), "rb") as file:
        return file.read()


def main(port):
    with resp.Client("127.0.0.1", port) as client:
        write_header("recorded_payloads.hpp", "DUMP of values of every encoding", "RecordedPayload",
                     [(name, payload(client, commands)) for name, commands in CASES])
        write_header("recorded_files.hpp", "whole RDB files", "RecordedFile",
                     [(name, rdb_file(client, commands)) for name, commands in FILES])


main(int(sys.argv[1]))
