#!/usr/bin/env python3
"""Prints rows for resp/commands/*.def from what a running redis-server 7.0 says of its commands.

    resp/commands/extract.py PORT NAME... >> resp/commands/hash.def     e.g. 7777 hset 'object|encoding'

A container's sub-commands are asked for by their full names. The format: resp/commands/all.def. What
is left to do: the handler, and a cost if it may be long.
"""
import socket
import sys


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")
        self.ask("HELLO", "3")

    def ask(self, *words):
        parts = [b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(parts))
        return self.read()

    def read(self):
        line = self.file.readline()[:-2].decode()
        kind, rest = line[0], line[1:]
        if kind in "+-":
            return rest
        if kind == ":":
            return int(rest)
        if kind == "_":
            return None
        if kind in "$=":
            return self.file.read(int(rest) + 2)[:-2].decode()
        if kind in "*~>":
            return [self.read() for _ in range(int(rest))]
        if kind == "%":
            return {self.read(): self.read() for _ in range(int(rest))}
        raise ValueError(line)


def argument_lines(arguments, depth):
    for argument in arguments:
        words = [argument["name"], argument["type"]]
        if "key_spec_index" in argument:
            words.append("#%d" % argument["key_spec_index"])
        for name in ("token", "since", "deprecated_since"):
            if name in argument:
                assert " " not in argument[name]
                words.append("%s=%s" % (name.replace("_", "-"), argument[name]))
        words += [flag.replace("_", "-") for flag in argument.get("flags", [])]
        yield "  " * depth + "arg " + " ".join(words)
        yield from argument_lines(argument.get("arguments", []), depth + 1)


def key_line(key):
    def search(part):
        spec = part["spec"]
        numbers = spec.values() if isinstance(spec, dict) else []
        return " ".join([part["type"]] + [str(n) for n in numbers])

    parts = [" ".join(key["flags"]), search(key["begin_search"]), search(key["find_keys"])]
    if "notes" in key:
        parts.append(key["notes"])
    return "key " + " | ".join(parts)


# Flags that a row writes, in the order of Redis; readonly and write are the macro.
FLAGS = {"denyoom": "kDenyOom", "admin": "kAdmin", "pubsub": "kPubSub", "noscript": "kNoScript",
         "blocking": "kBlocking", "loading": "kLoadingOk", "stale": "kStaleOk",
         "skip_monitor": "kSkipMonitor", "skip_slowlog": "kSkipSlowlog", "fast": "kFast",
         "no_auth": "kNoAuth", "no_async_loading": "kNoAsyncLoading", "no_multi": "kNoMulti",
         "no_mandatory_keys": "kNoMandatoryKeys", "movablekeys": "kMovableKeys", "allow_busy": "kAllowBusy",
         "touches_arbitrary_keys": "kTouchesArbitraryKeys"}
# Categories that do not follow from macro and flags (command_table.cpp).
CATEGORIES = {"keyspace": "kAclKeyspace", "set": "kAclSet", "sortedset": "kAclSortedSet",
              "list": "kAclList", "hash": "kAclHash", "string": "kAclString",
              "bitmap": "kAclBitmap", "hyperloglog": "kAclHyperLogLog", "geo": "kAclGeo",
              "stream": "kAclStream", "connection": "kAclConnection",
              "transaction": "kAclTransaction", "scripting": "kAclScripting"}


def bits(words, names):
    return " | ".join(names[word] for word in words if word in names) or "0"


def row(name, docs, info):
    flags = info[2]
    macro = "WRITE" if "write" in flags else "READ" if "readonly" in flags else "LOCAL"
    handler = name.replace("|", "_").replace("-", "_")
    categories = [word.lstrip("@") for word in info[6]]
    yield '%s(%s, "%s", %d, %s, %s, R"(' % (macro, handler, name, info[1], bits(flags, FLAGS),
                                            bits(categories, CATEGORIES))
    for field in ("summary", "since", "group", "complexity"):
        if field in docs:
            yield "%s %s" % (field, docs[field])
    for flag in docs.get("doc_flags", []):
        yield "flag " + flag
    for field in ("deprecated_since", "replaced_by"):
        if field in docs:
            yield "%s %s" % (field.replace("_", "-"), docs[field])
    for version, text in docs.get("history", []):
        yield "history %s %s" % (version, text)
    for tip in info[7]:
        yield "tip " + tip
    for key in info[8]:
        yield key_line(key)
    yield from argument_lines(docs.get("arguments", []), 0)
    yield ')")'


def main():
    client = Client(int(sys.argv[1]))
    for name in sys.argv[2:]:
        container = name.split("|")[0]
        docs = client.ask("COMMAND", "DOCS", container)[container]
        docs = docs["subcommands"][name] if "|" in name else docs
        info = client.ask("COMMAND", "INFO", name)[0]
        print("\n".join(row(name, docs, info)))


main()
