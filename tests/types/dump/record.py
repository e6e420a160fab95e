#!/usr/bin/env python3
"""Writes recorded_payloads.hpp: what redis-server 7.0 answers to DUMP for values of every encoding.

Run by hand with a server on the port given; the test reads what it wrote.
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
]


def main(port):
    out = ["// Written by record.py from redis-server 7.0: DUMP of values of every encoding.", "#pragma once", "",
           "#include <string_view>", "#include <vector>", "", "namespace kiwi::resp::dump {", "",
           "struct RecordedPayload {", "  std::string_view name;", "  std::string_view hex;", "};", "",
           "inline const std::vector<RecordedPayload> kRecordedPayloads = {"]
    with resp.Client("127.0.0.1", port) as client:
        for name, commands in CASES:
            client.call("DEL", "k")
            for argv in commands:
                client.call(*argv)
            text = client.call("DUMP", "k").hex()
            parts = [text[at:at + 80] for at in range(0, len(text), 80)]
            out.append(f'    {{"{name}",')
            out += [f'     "{part}"' for part in parts[:-1]] + [f'     "{parts[-1]}"}},']
    out += ["};", "", "}  // namespace kiwi::resp::dump", ""]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded_payloads.hpp")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(out))
    subprocess.run(["clang-format", "-i", path], check=True)


main(int(sys.argv[1]))
