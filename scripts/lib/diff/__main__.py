"""scripts/diff: the same random commands to Kiwi and to Debian's redis-server 7.0.

  scripts/diff --seconds 60              one seed after the other, RESP2 and RESP3 in turn
  scripts/diff --seed 7 --seeds 1        one seed, again
  scripts/diff --commands 'l*,set'       only these
  scripts/diff --forever                 until something differs
  scripts/diff --users                   rules of ACL SETUSER and what they allow, instead (users.py)

Commands, their options and arguments come from redis-server's COMMAND DOCS, as far as Kiwi's COMMAND
LIST has them; now and then an option that does not belong there, a word too many, a number that is
none, a block of MULTI, a deadline that passes, a second client that waits in a blocking command. Every
reply must be equal byte by byte, but for what
scripts/lib/diff/compare.py and settle.py name; at the end of each seed all keys are compared, and each
value goes through DUMP and RESTORE both ways. What differs is shrunk to the fewest commands that show
it and kept below tests/diff, where scripts/test runs it again. At the end it says which commands were
answered without an error, and which of their options never were. Exit code 0: nothing differed.
"""

import argparse
import contextlib
import fnmatch
import json
import os
import random
import sys
import tempfile
import time

import cluster as clusters
from bench import systems, tools

from diff import documented, grammar, pools, scripts, shrink, states, users
from diff.pair import Difference, Pair, show
from diff.wire import Connection

KEPT = os.path.join(clusters.ROOT, "tests", "diff")
COMMANDS_A_SEED = 300
# They are about the server, the connection or the cluster, not about data: tests of their own. PFCOUNT
# writes in Redis and does not in Kiwi.
LEFT_OUT = ("acl*", "auth", "bgrewriteaof", "bgsave", "client*", "cluster*", "command*", "config*", "debug*",
            "failover", "flushall", "hello", "info", "lastsave", "latency*", "lolwut", "memory*", "migrate",
            "module*", "monitor", "object freq", "object idletime", "pfcount", "pfdebug", "pfselftest", "psync",
            "quit", "readonly", "readwrite", "replconf", "replicaof", "reset", "restore-asking", "role", "save",
            "shutdown", "slaveof", "slowlog*", "swapdb", "sync", "time", "wait", "waitaof",
            "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "pubsub*",
            "publish", "spublish", "script debug", "script kill", "function dump", "function help", "function kill", "function list",
            "function restore", "function stats", "multi",
            "exec", "discard", "watch", "unwatch", "asking", "dump", "restore",
            "select", "ping", "echo",
            # Order without BY, and which of equal ones a LIMIT takes, is a hash table's or a quicksort's.
            "sort", "sort_ro")


class Servers:
    """Both servers, and connections to them of either protocol."""

    def __init__(self, options, directory):
        ours = systems.make("kiwi-1", os.path.join(directory, "kiwi"), options.port, {"raft.log-fsync": "no"},
                            options.server)
        theirs = systems.make("redis", os.path.join(directory, "redis"), options.port + 5, {}, None)
        self._systems = [ours, theirs]
        for system in self._systems:
            os.makedirs(system.directory, exist_ok=True)
            system.start()

    def pair(self, protocol, containers):
        sides = [Connection(system.port) for system in self._systems]
        for side in sides:
            side.hello(protocol)
            side.call("FLUSHALL")
            side.call("SCRIPT", "FLUSH")
            side.call("FUNCTION", "FLUSH")
        return Pair(*sides, containers)

    def stop(self):
        for system in self._systems:
            system.stop()


def table_of(servers, patterns):
    """Commands both have, and containers' names."""
    pair = servers.pair(2, ())
    docs = documented.commands(pair.theirs.call("COMMAND", "DOCS"))
    listed = {name.decode().replace("|", " ") for name in pair.ours.call("COMMAND", "LIST")}
    subcommands = {name for name in docs if " " in name}
    containers = {name.split(" ")[0] for name in subcommands}
    table = {name: command for name, command in docs.items()
             if name.split(" ")[0] in listed and not any(fnmatch.fnmatch(name, left) for left in LEFT_OUT)
             and (not patterns or any(fnmatch.fnmatch(name, want) for want in patterns))}
    return table, containers


def replay(servers, commands, protocol, containers, told=None, texts=()):
    """None, or the Difference. told: a Tally; texts: of the scripts among the commands."""
    pair = servers.pair(protocol, containers)
    try:
        for argv in commands:
            succeeded = pair.run(argv)
            if told is not None:
                told.commands += 1
                told.coverage.add(argv.name, argv.choices, succeeded)
                told.scripts.add(argv, succeeded, texts)
        dumped = states.compare(pair, [*pools.KEYS, grammar.LEX_KEY])
        if told is not None:
            told.dumped += dumped
    except Difference as difference:
        return difference
    finally:
        pair.close()
    return None


class Tally:
    """What a run did."""

    def __init__(self, table):
        self.coverage = documented.Coverage(table)
        self.scripts = scripts.Count()
        self.commands = self.dumped = self.differences = 0


def keep(commands, protocol, seed, difference):
    os.makedirs(KEPT, exist_ok=True)
    name = commands[-1][0].decode("latin1").lower() if commands else "state"
    path = os.path.join(KEPT, f"{''.join(c for c in name if c.isalnum())}-{seed}.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump({"protocol": protocol, "commands": [[word.decode("latin1") for word in argv]
                                                      for argv in commands]}, file, indent=1)
        file.write("\n")
    print(f"seed {seed}, RESP{protocol}: {difference}\n  with these {len(commands)} commands, kept in {path}:")
    for argv in commands:
        print(f"    {show(argv)[:200]}")


def run(options, servers):
    table, containers = table_of(servers, options.commands)
    if not table:
        raise clusters.Failure("Kiwi has none of these commands")
    tally, begun, seed = Tally(table), time.monotonic(), options.seed
    while options.forever or (seed < options.seed + options.seeds if options.seeds else
                              time.monotonic() - begun < options.seconds):
        rng = random.Random(seed)
        generator = grammar.Generator(rng, table, int(time.time()))
        commands = generator.sequence(COMMANDS_A_SEED)
        protocol = 2 + seed % 2
        difference = replay(servers, commands, protocol, containers, tally, generator.scripts)
        if difference is not None:
            tally.differences += 1
            fewer = shrink.shrink(commands[:difference.number] if difference.number <= len(commands)
                                  else commands,
                                  lambda some: replay(servers, some, protocol, containers) is not None,
                                  options.tries)
            keep(fewer, protocol, seed, replay(servers, fewer, protocol, containers) or difference)
            if tally.differences >= options.most:
                break
        seed += 1
    report(tally, seed - options.seed, time.monotonic() - begun)
    return 1 if tally.differences else 0


def report(tally, seeds, seconds):
    print(f"{tally.commands} commands in {seeds} seeds, {seconds:.0f} s: {tally.differences} differences; "
          + (f"{tally.dumped} values through DUMP and RESTORE" if tally.dumped else "no DUMP here"))
    if tally.scripts.runs:
        print(tally.scripts.line())
    for line in tally.coverage.lines():
        print(line)


def parse(words):
    parser = argparse.ArgumentParser(prog="scripts/diff", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="the first; drawn if not given")
    parser.add_argument("--seeds", type=int, default=0, help="so many, instead of --seconds")
    parser.add_argument("--forever", action="store_true")
    parser.add_argument("--commands", type=lambda text: text.split(","), default=[])
    parser.add_argument("--users", action="store_true", help="rules of ACL SETUSER instead of data")
    parser.add_argument("--most", type=int, default=5, help="differences until it stops")
    parser.add_argument("--tries", type=int, default=400, help="of shrinking")
    parser.add_argument("--port", type=int, default=tools.PORT + 300)
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args(words)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def main(words):
    options = parse(words)
    options.server = clusters.server_program(options)
    try:
        with tempfile.TemporaryDirectory(prefix="kiwi-diff-") as directory, contextlib.ExitStack() as stack:
            servers = Servers(options, directory)
            stack.callback(servers.stop)
            return users.run(options, servers) if options.users else run(options, servers)
    except clusters.Failure as failure:
        print(f"diff: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
