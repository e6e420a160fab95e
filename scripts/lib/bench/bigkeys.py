"""scripts/bench bigkeys: what commands on keys of millions of members take, and what others feel.

Each type's key is loaded alone into a system started afresh. One client sends one command after the
other: p50 and p99 of each. `hot`: all of it in memory; `cold`: the nodes start again with `cache-state`
(and `cache-blocks`) a tenth of what the data took, so that most of it comes from files. The kernel's
page cache may hold those.

COPY, DEL and SUNIONSTORE run once or a few times, and meanwhile a client on each node sends one SET after
the other: its longest wait is the stall. A command that the server refuses has its error as a note.
"""

import os
import random
import time

import resp

from bench import generators, loads, machine, report, systems, tools
from bench.bigkeys_types import BYTES_EACH, KEY, KEYS, OTHER_KEY, POP_COUNT, big_string

HEAD = ["system", "type", "members", "cache", "command", "times", "p50 ms", "p99 ms", "max ms", "stall ms", "note"]
SMALLEST = {"cache-state": 4 * 2**20, "cache-blocks": 8 * 2**20}
SEED = 5
SCAN_PAGE = 100


def small(number):
    """What commands on small keys take here and now, to compare with."""
    return [("SET small", [f"SET small:@k{number}@ @v20@"]), ("GET small", [f"GET small:@k{number}@"])]


class Bench:
    """One key of one type on one system."""

    def __init__(self, options, name, system, type_, members):
        self._options, self._system, self.rows = options, system, []
        self._about = {"system": name, "type": type_, "members": members}
        self._key = KEYS[type_]
        self._members, self._cache = members, "hot"
        self._random = random.Random(SEED)

    def load(self):
        begun = time.monotonic()
        for templates, requests, clients in self._key.load(self._members):
            generators.commands(self._system.data_port, templates, requests=requests, clients=clients, pipeline=8)
        took = time.monotonic() - begun
        print(f"  {self._about['type']} of {self._members}: loaded in {took:.0f} s", flush=True)

    def make_cold(self):
        """Gives False where there is nothing to make colder."""
        if not hasattr(self._system, "cluster"):
            return False
        with resp.Client("127.0.0.1", self._system.port, 60) as client:
            used = int(client.info().get("state_cache_bytes", 0))
        tenth = {name: str(max(least, used // 10)) for name, least in SMALLEST.items()}
        self._system.settle()
        self._system.restart({**tenth, **tools.settings(self._options)})
        self._cache = "cold"
        print(f"  started again, cache-state {int(tenth['cache-state']) / 2**20:.1f} MiB", flush=True)
        return True

    def row(self, command, times, figures, note="", stalls=None):
        found = {**self._about, "cache": self._cache, "command": command, "times": times, "note": note,
                 "stalls_ms": stalls, **{key: figures.get(key) for key in ("p50_ms", "p99_ms", "max_ms")}}
        self.rows.append(found)
        print("  " + "  ".join(report.cell(cell) for cell in table_row(found)[3:] if cell is not None), flush=True)

    def repeated(self, command, templates):
        """The command again and again by the load generator, for --rounds times or --seconds."""
        said, note = loads.one_after_other(self._system, templates, self._options.rounds, self._options.seconds,
                                           self._random.randrange(1, 1 << 30))
        self.row(command, said["requests"], said, note)

    def once(self, *words):
        """(milliseconds, error, longest waits of others)"""
        took, said, stalls, _ = loads.beside_others(self._system, self._options.after, *words)
        return took, str(said)[:loads.NOTE] if isinstance(said, resp.ServerError) else "", stalls

    def few(self, command, runs):
        """runs: what once() gave, several times."""
        worst = [max(stall) for stall in zip(*(stalls for _, _, stalls in runs))]
        self.row(command, len(runs), loads.tails(took for took, _, _ in runs),
                 next((note for _, note, _ in runs if note), ""), worst)

    def copies(self):
        made, gone = [], []
        for _ in range(self._options.copies):
            made.append(self.once("COPY", KEY, OTHER_KEY))
            if made[-1][1]:
                break
            gone.append(self.once("DEL", OTHER_KEY))
        self.few("COPY", made)
        if gone:
            self.few("DEL", gone)

    def scans(self, word):
        """Pages one after the other, from the start."""
        waits, cursor = [], b"0"
        with resp.Client("127.0.0.1", self._system.port, loads.PATIENCE) as client:
            while len(waits) < self._options.rounds and (not waits or cursor != b"0"):
                begun = time.monotonic()
                cursor, _ = client.call(word, KEY, cursor, "COUNT", SCAN_PAGE)
                waits.append((time.monotonic() - begun) * 1000)
        self.row(f"{word} COUNT {SCAN_PAGE}", len(waits), loads.tails(waits))

    def renames(self):
        self.repeated("RENAME", [(0, f"RENAME {KEY} {OTHER_KEY}"), (0, f"RENAME {OTHER_KEY} {KEY}")])
        with resp.Client("127.0.0.1", self._system.port, loads.PATIENCE) as client:
            if client.call("EXISTS", OTHER_KEY):  # it ended between the two
                client.call("RENAME", OTHER_KEY, KEY)

    def all_commands(self):
        for command, templates in small(1000) + self._key.commands(self._members, self._random):
            self.repeated(command, templates)
        if self._key.scan:
            self.scans(self._key.scan)
        self.repeated("EXPIRE", [f"EXPIRE {KEY} 1000000"])
        self.renames()
        if self._key.pops:
            self.pops(*self._key.pops(self._members))

    def pops(self, templates, requests):
        """A pop when many went before; and what they left of the key, if little, is made whole again."""
        generators.commands(self._system.port, templates, requests=requests, clients=1, pipeline=8)
        gone = requests * POP_COUNT
        self.repeated(f"{self._key.pop} after {gone} pops", [f"{self._key.pop} {KEY}"])
        if gone * 2 > self._members:
            with resp.Client("127.0.0.1", self._system.port, loads.PATIENCE) as client:
                client.call("DEL", KEY)
            self.load()

    def unions(self):
        """SUNIONSTORE of two sets of --union members that share half of them."""
        half = self._options.union // 2
        for key, first in (("union:a", 0), ("union:b", half)):
            generators.commands(self._system.data_port, [f"SADD {key} {{250 member:@s@ }}"], clients=2, pipeline=8,
                                requests=self._options.union // 250, first=first)
        runs = [self.once("SUNIONSTORE", "union:c", "union:a", "union:b")
                for _ in range(self._options.copies)]
        self.few(f"SUNIONSTORE 2 x {self._options.union}", runs)

    def last(self):
        """The key itself goes."""
        self.few("DEL of the key itself", [self.once("DEL", KEY)])


def room(type_, members):
    """cache-state that holds the key and a copy of it, with what lies beside."""
    return max(256 * 2**20, 3 * BYTES_EACH[type_] * members)


def run_one(options, name, type_, members):
    count = big_string(options.string_bytes) if type_ == "string" else members
    settings = {"cache-state": str(room(type_, count)), **tools.settings(options)}
    print(f"{name}, {type_} of {members}", flush=True)
    with systems.Started(options, name, settings) as system:
        bench = Bench(options, name, system, type_, count)
        bench.load()
        for cache in options.caches:
            if cache == "cold" and not bench.make_cold():
                break
            bench.all_commands()
            bench.copies()
        if type_ == "set" and options.union:
            bench.unions()
        bench.last()
        return bench.rows


def table_row(row):
    stalls = row["stalls_ms"]
    return [row["system"], row["type"], row["members"], row["cache"], row["command"], row["times"], row["p50_ms"],
            row["p99_ms"], row["max_ms"], " ".join(f"{stall:.1f}" for stall in stalls) if stalls else None,
            row["note"]]


def parse(words):
    parser = tools.parser("bigkeys", __doc__)
    parser.add_argument("--members", type=tools.counts, default=[1_000_000], help="such as 1e6,1e7")
    parser.add_argument("--types", default=",".join(KEYS), help="of " + ", ".join(KEYS))
    parser.add_argument("--systems", default="kiwi-3", help="of kiwi-1, kiwi-3, redis, redis-aof")
    parser.add_argument("--caches", default="hot,cold")
    parser.add_argument("--string-bytes", type=tools.count, default=100_000_000)
    parser.add_argument("--rounds", type=tools.count, default=2000, help="of each command, but at most --seconds")
    parser.add_argument("--seconds", type=tools.count, default=20)
    parser.add_argument("--copies", type=int, default=3, help="of COPY, DEL and SUNIONSTORE")
    parser.add_argument("--union", type=tools.count, default=1_000_000, help="members of each set of SUNIONSTORE")
    parser.add_argument("--after", type=float, default=3, help="seconds that stalls are still counted")
    parser.add_argument("--quick", action="store_true", help="20,000 members, a string of 2 MB: a look")
    options = parser.parse_args(words)
    options.types = tools.names(parser, options.types, KEYS, "type")
    options.systems = tools.names(parser, options.systems, ("kiwi-1", "kiwi-3", "redis", "redis-aof"), "system")
    options.caches = tools.names(parser, options.caches, ("hot", "cold"), "cache")
    if options.quick:
        options.members, options.string_bytes, options.union = [20_000], 2_000_000, 5000
        options.rounds, options.seconds, options.copies, options.after = 50, 1, 1, 0.1
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need(options.systems, options)
    begun, rows = time.monotonic(), []
    for name in options.systems:
        for members in options.members:
            for type_ in options.types:
                if type_ != "string" or members == options.members[0]:
                    rows += run_one(options, name, type_, members)
    print(f"\n{os.cpu_count()} cores. Stalls: the longest SET of a client on each node, the leader first, while the "
          "command ran.")
    report.print_table(HEAD, [table_row(row) for row in rows], left=5)
    print(f"took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "settings": tools.settings(options),
                                         "rows": rows})
    return 0
