#!/usr/bin/env python3
"""Fills key_events.txt with what a running redis-server 7.0 tells of keys: record_events.py PORT FILE

A line is a command, `> WORD WORD ...`. The script empties the server, drops all `!` lines and writes
one below each command: its events as `DATABASE EVENT KEY`, in order.
"""
import re
import sys

from record import Server


def main(port, path):
    admin, listener = Server(port), Server(port)
    admin.run([b"flushall"])
    admin.run([b"config", b"set", b"notify-keyspace-events", b"EAn"])
    listener.run([b"psubscribe", b"__keyevent@*", b"end"])
    listener.reply()
    out = []
    for line in open(path).read().split("\n"):
        if line.startswith("!"):
            continue
        out.append(line)
        if line.startswith(">"):
            answer = admin.run([word.encode() for word in line[2:].split(" ")])
            assert not answer.startswith(b"-"), (line, answer)
            admin.run([b"publish", b"end", b""])
            events = []
            while True:
                parts = listener.reply().split(b"\r\n")
                channel, message = parts[6].decode(), parts[8].decode()
                if channel == "end":
                    break
                database, event = re.fullmatch(r"__keyevent@(\d+)__:(.*)", channel).groups()
                events.append(f"{database} {event} {message}")
            out.append(("! " + ", ".join(events)).rstrip())
    admin.run([b"config", b"set", b"notify-keyspace-events", b""])
    open(path, "w").write("\n".join(out))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
