#!/usr/bin/env python3
"""Fills the files of this folder with what a running redis-server 7.0 answers: record.py PORT FILE...

A file is a list of conversations, each on an empty server:
    = NAME [resp3]     a new connection
    > WORD WORD ...    a command; "" is an empty word, \\xNN and \\n \\r \\\\ \\s (space) are escapes
    < BYTES            its answer, escaped
    ~ BYTES            its answer, an aggregate whose elements come in any order
The script drops all < lines, and writes them anew; ~ lines stay of that kind.
"""
import socket
import sys


def unescape(word):
    return b"" if word == '""' else word.replace("\\s", " ").encode().decode("unicode_escape").encode("latin1")


def escape(data):
    special = {10: "\\n", 13: "\\r", 92: "\\\\"}
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else special.get(b, "\\x%02x" % b) for b in data)


class Server:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def reply(self):
        line = self.file.readline()
        kind, number = line[:1], line[1:-2]
        if kind in b"+-:_#,(":
            return line
        if kind in b"$=":
            return line if int(number) < 0 else line + self.file.read(int(number) + 2)
        elements = max(0, int(number)) * (2 if kind == b"%" else 1)
        return line + b"".join(self.reply() for _ in range(elements))

    def run(self, words):
        parts = [b"*%d\r\n" % len(words)] + [b"$%d\r\n%s\r\n" % (len(w), w) for w in words]
        self.socket.sendall(b"".join(parts))
        return self.reply()


def record(port, path):
    lines = open(path).read().split("\n")
    out = []
    server = None
    for i, line in enumerate(lines):
        if line.startswith(("<", "~")):
            continue
        out.append(line)
        if line.startswith("="):
            server = Server(port)
            server.run([b"flushall"])
            if line.endswith(" resp3"):
                server.run([b"hello", b"3"])
        elif line.startswith(">"):
            answer = server.run([unescape(word) for word in line[2:].split(" ")])
            unordered = i + 1 < len(lines) and lines[i + 1].startswith("~")
            out.append(("~ " if unordered else "< ") + escape(answer))
    open(path, "w").write("\n".join(out))


if __name__ == "__main__":
    for name in sys.argv[2:]:
        record(int(sys.argv[1]), name)
