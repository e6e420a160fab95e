"""scripts/bench scripts: what scripts and functions take, and what the worst of them do to others.

  memory  resident memory of a node before and after --scripts SCRIPT LOADs, an EVALSHA of each, --functions
          libraries of one function (FUNCTION LOAD) and an FCALL of each, with the time of each; the time of a
          snapshot without and with them, and of a node that comes back without its data and gets it
  bounds  scripts that would run or grow for ever, each after a write of its own: what their client is told and
          when, when all nodes serve again, and the longest wait of another client on each meanwhile (SETs are
          given up with TIMEOUT after 10 s: then it is no less). On the last of --systems. Then all nodes start
          again and apply them once more: the time until there is a leader, and what is left of their writes

`bounds` is about Kiwi alone: redis-server would run the first of them until somebody kills it.
"""

import argparse
import hashlib
import os
import time

import resp

from bench import loads, machine, report, stalls, systems, tools

PARTS = ("memory", "bounds")
SYSTEMS = ("redis", "kiwi-1", "kiwi-3")
WRITTEN = 200_000  # a twentieth of it is written while a node is away: more log than CACHED
CACHED = {"raft.log-max-cache-size": "65536"}  # so that what a node lacks is not in the leader's memory
WRITE = "redis.call('set', KEYS[1], 'written') "
EVIL = {
    "endless loop": "while true do end",
    "loop of 30 s of redis": "local n = 0 for i = 1, 3000000000 do n = n + 1 end return n",
    "300 MiB of tables": "local t = {} for i = 1, 3000000 do t[i] = {i, i, i} end return #t",
    "300 MiB of strings": "local t = {} for i = 1, 30000 do t[i] = string.rep('x', 10000) .. i end return #t",
    "string.rep of 512 MB": "return #string.rep('x', 512 * 1024 * 1024)",
    "pattern that backtracks": "return string.find(string.rep('a', 28), string.rep('a?', 28) .. string.rep('a', 28))",
    "redis.call for ever": "while true do redis.call('incr', KEYS[1] .. ':n') end",
    "endless loop in pcall": "while true do pcall(function() while true do end end) end",
}
HEAD = ["script", "its client waits ms", "and is told", "all serve after ms", "CPU s a node",
        "longest SET on each node ms", "left of it"]
MEMORY_HEAD = ["system", "step", "p50 ms", "p99 ms", "all s", "MiB a node", "grown"]


def text(number, size):
    """A script of about so many bytes, unlike all others, that does a little of each usual thing."""
    lines = [f"local name{number} = KEYS[1] .. ':{number}'", f"local n = redis.call('incr', name{number})"]
    while sum(map(len, lines)) < size - 60:
        turn = len(lines)
        lines.append(f"if n == {turn * 1000 + number} then redis.call('hset', KEYS[1] .. ':h', ARGV[1], '{turn}') end")
    return "\n".join([*lines, "return n"])


def library(number, size):
    body = text(number, size).replace("KEYS", "keys").replace("ARGV", "args")
    return f"#!lua name=library{number}\nredis.register_function('function{number}', function(keys, args)\n{body}\nend)"


def node_mib(system):
    time.sleep(0.5)
    return machine.resident_mib(system.pids()) / system.node_count


class Steps:
    """Each step's calls one after the other, and what a node grew by."""

    def __init__(self, name, system):
        self._name, self._system, self.rows = name, system, []
        self._before = node_mib(system)

    def run(self, step, calls):
        took = []
        with resp.Client("127.0.0.1", self._system.port, loads.PATIENCE) as client:
            for words in calls:
                begun = time.monotonic()
                client.call(*words)
                took.append((time.monotonic() - begun) * 1000)
        self.add(step, took)

    def snapshot(self, step):
        """Its state written and the log cut: Kiwi's leader, or redis' SAVE."""
        if hasattr(self._system, "cluster"):
            self.run(step, [["RAFT.DEBUG", "COMPACT"]])
        else:
            self.run(step, [["SAVE"]])

    def add(self, step, took):
        now = node_mib(self._system)
        self.rows.append({"system": self._name, "step": step, "times": len(took), "all_s": sum(took) / 1000,
                          "mib": now, "grown_mib": now - self._before, **loads.tails(took)})
        self._before = now
        print("  " + "  ".join(report.cell(value) for value in memory_row(self.rows[-1])), flush=True)


def memory_row(row):
    return [row["system"], row["step"], row["p50_ms"], row["p99_ms"], row["all_s"], row["mib"], row["grown_mib"]]


def comes_back(system):
    """Milliseconds until a node that lost its data has all again, by a snapshot."""
    stage = stalls.Stage(argparse.Namespace(keys=WRITTEN, aside=False), system)
    return stalls.wiped_follower(stage)["caught_up_s"] * 1000


def memory(options, name):
    settings = {**({**stalls.SETTINGS, **CACHED} if name.startswith("kiwi") else {}), **tools.settings(options)}
    scripts = [text(number, options.bytes) for number in range(options.scripts)]
    hashes = [hashlib.sha1(script.encode()).hexdigest() for script in scripts]
    with systems.Started(options, name, settings) as system:
        with resp.Client("127.0.0.1", system.port, loads.PATIENCE) as client:
            client.call("EVAL", "return 1", 0)  # what comes once
        steps = Steps(name, system)
        steps.snapshot("snapshot without scripts")
        if system.node_count > 1:
            steps.add("node comes back without scripts", [comes_back(system)])
        steps.run(f"{len(scripts)} SCRIPT LOAD", [["SCRIPT", "LOAD", script] for script in scripts])
        steps.run("EVALSHA of each", [["EVALSHA", sha, 1, "key", "field"] for sha in hashes])
        numbers = range(options.functions)
        steps.run(f"{options.functions} FUNCTION LOAD",
                  [["FUNCTION", "LOAD", library(number, options.bytes)] for number in numbers])
        steps.run("FCALL of each", [["FCALL", f"function{number}", 1, "key", "field"] for number in numbers])
        steps.run("FUNCTION LOAD REPLACE", [["FUNCTION", "LOAD", "REPLACE", library(0, options.bytes)]] * 20)
        steps.snapshot("snapshot with scripts")
        if system.node_count > 1:
            steps.add("node comes back with scripts", [comes_back(system)])
        return steps.rows


def left_of(system, number):
    loads.until_served([system.port])
    with resp.Client("127.0.0.1", system.port, loads.PATIENCE) as client:
        return client.call("EXISTS", f"evil:{number}", f"evil:{number}:n")


def bounds(options, name):
    """The rows; each script writes evil:NUMBER first, which must be undone."""
    rows = []
    with systems.Started(options, name, {**options.budget, **tools.settings(options)}) as system:
        for number, (what, script) in enumerate(EVIL.items()):
            system.aim()
            cpu = machine.cpu_seconds(system.pids())
            took, said, waits, busy = loads.beside_others(system, options.after, "EVAL", WRITE + script, 1,
                                                          f"evil:{number}")
            cpu = (machine.cpu_seconds(system.pids()) - cpu) / system.node_count
            rows.append({"system": name, "script": what, "took_ms": took, "said": str(said)[:loads.NOTE],
                         "busy_ms": busy, "cpu_s_per_node": cpu, "stalls_ms": waits, "left": left_of(system, number)})
            print("  " + "  ".join(report.cell(value) for value in bounds_row(rows[-1])), flush=True)
        begun = time.monotonic()
        system.restart({})
        again = time.monotonic() - begun
        print(f"  {name}: {again:.1f} s until all nodes had started again", flush=True)
        for number, row in enumerate(rows):
            row.update({"left_after_restart": left_of(system, number), "restart_s": again})
    return rows


def bounds_row(row):
    left = f"{row['left']} keys" + (f", {row['left_after_restart']} again" if "left_after_restart" in row else "")
    return [row["script"], row["took_ms"], row["said"], row["busy_ms"], row["cpu_s_per_node"],
            " ".join(f"{wait:.0f}" for wait in row["stalls_ms"]), left]


def parse(words):
    parser = tools.parser("scripts", __doc__)
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="of " + ", ".join(SYSTEMS))
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--scripts", type=tools.count, default=500)
    parser.add_argument("--functions", type=tools.count, default=100)
    parser.add_argument("--bytes", type=tools.count, default=2000, help="of a script")
    parser.add_argument("--after", type=float, default=3, help="seconds that waits are still counted")
    parser.add_argument("--quick", action="store_true",
                        help="20 scripts, 5 functions, a hundredth of the usual lua-steps-max: a look")
    options = parser.parse_args(words)
    options.systems = tools.names(parser, options.systems, SYSTEMS, "system")
    options.parts = tools.names(parser, options.parts, PARTS, "part")
    options.bounded, options.budget = [name for name in options.systems if name.startswith("kiwi")][-1:], {}
    if options.quick:
        options.scripts, options.functions, options.after = 20, 5, 0.2
        options.budget = {"lua-steps-max": "10000000"}
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need(options.systems, options)
    begun, found = time.monotonic(), {}
    if "memory" in options.parts:
        found["memory"] = [row for name in options.systems for row in memory(options, name)]
    if "bounds" in options.parts:
        found["bounds"] = [row for name in options.bounded for row in bounds(options, name)]
    if "memory" in found:
        print(f"\nScripts of {options.bytes} bytes; MiB of one node, and what it grew by in the step.")
        report.print_table(MEMORY_HEAD, [memory_row(row) for row in found["memory"]], left=2)
    for name in options.bounded if "bounds" in found else ():
        rows = [row for row in found["bounds"] if row["system"] == name]
        print(f"\n{name}: the leader's node first. All nodes had started again after {rows[0]['restart_s']:.1f} s.")
        report.print_table(HEAD, [bounds_row(row) for row in rows], left=1)
    print(f"{os.cpu_count()} cores; took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "settings": tools.settings(options), **found})
    return 0
