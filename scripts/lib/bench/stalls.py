"""scripts/bench stalls: what the work in the background does to the latency of steady writes.

A steady load in an open loop (commands are due at fixed times, and latency counts from there, so
that a stall is not hidden by a generator that waits too) on the leader of three nodes, over 1 % of
the keys. Meanwhile, one after the other: nothing (the noise of the machine), the whole state written and
the log cut, a follower that stops for a while, one that missed 5 % of new keys and the log for them,
one that lost its disk, and compactions of the state. Each with the tail before, during and after.
"""

import array
import glob
import os
import shutil
import signal
import tempfile
import time

import cluster as clusters

from bench import generators, machine, report, systems, tools

VALUE = 100
CLIENTS = 20
BAR = 2.0  # the tail may grow by less than this
DELTA_BAR = 0.15  # a follower that lacks 5 % gets less than this part of the whole
PATIENCE = 120
SHORTEST = 1.0  # seconds that count as during an event: a shorter one has too few commands
PARTS = 10  # of the keys, in the event that makes compactions
# The log is cut by the events here only, and then nothing stays for who is away, nor in memory.
SETTINGS = {"raft.snapshot-entries": "1000000000", "raft.log-max-file-size": "1gb",
            "raft.log-keep-entries": "0", "raft.log-laggard-max-bytes": "0"}
HEAD = ["event", "s", "caught up s", "sent MiB", "of state", "mode", "p99 before", "during", "after",
        "x", "max before", "during", "after", "note"]


def number(node, field):
    return int(node.info().get(field, 0))


def wait_until(done, what):
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise clusters.Failure(f"after {PATIENCE} s {what}")
        time.sleep(0.02)


class Stage:
    """The cluster under load, and the moments of what happens to it."""

    def __init__(self, options, system):
        self.options = options
        self.cluster = system.cluster
        self.server = system.server
        self.leader = self.cluster.leader()
        self.follower = next(n for n in self.cluster.nodes if n is not self.leader)
        self.new_keys = options.keys  # numbers from here on were never written

    def call(self, node, *words):
        with node.connect(PATIENCE) as client:
            return client.call(*words)

    def cut(self):
        self.call(self.leader, "RAFT.DEBUG", "COMPACT")

    def write_new(self, count):
        generators.load(self.leader.port, "fill", clients=2, first=self.new_keys, keys=count,
                        value_bytes=VALUE)
        self.new_keys += count

    def wait_caught_up(self, voting=False):
        """Until the follower has what the leader had when this began."""
        target, begun = number(self.leader, "raft_commit_index"), time.monotonic()

        def done():
            self.follower.check_alive()
            info = self.follower.info()
            return info.get("raft_state") == "up" and \
                int(info.get("raft_last_applied_index", 0)) >= target and \
                (not voting or info.get("raft_is_voting") == "yes")

        wait_until(done, f"node {self.follower.number} has not caught up")
        return time.monotonic() - begun

    def state_bytes(self):
        return number(self.leader, "raft_snapshot_size")


# Each event does its thing and says what came of it.

def nothing(stage):
    time.sleep(stage.options.calm)
    return {}


def snapshot(stage):
    before = machine.bytes_written([stage.leader.process.pid()])
    stage.cut()
    wrote = machine.bytes_written([stage.leader.process.pid()]) - before
    return {"note": f"leader wrote {wrote / 2**20:.1f} MiB"}


def slow_follower(stage):
    stage.follower.process.signal(signal.SIGSTOP)
    time.sleep(stage.options.pause)
    stage.follower.process.signal(signal.SIGCONT)
    return {"caught_up_s": stage.wait_caught_up(), "note": f"stopped {stage.options.pause:g} s"}


def step_aside(pid):
    """It gets hardly more of the processors than all others leave (sched(7), autogroups): a node on
    a machine of its own takes nothing from the others."""
    try:
        with open(f"/proc/{pid}/autogroup", "w") as group:
            group.write("19")
    except OSError as error:
        raise clusters.Failure(f"--aside needs a kernel with sched_autogroup_enabled: {error}") from error


def back_by_snapshot(stage, wipe):
    """The follower is killed, misses 5 % of new keys and the log for them, and comes back. (Stopped
    only, it would find the entries in its sockets.) What counts as the event begins with its
    return."""
    sent = number(stage.leader, "raft_snapshot_bytes_sent")
    stage.follower.process.kill()
    if wipe:
        shutil.rmtree(stage.follower.data)
    stage.write_new(stage.options.keys // 20)
    stage.cut()
    begun = time.monotonic()
    stage.follower.start(stage.server)
    if stage.options.aside:
        step_aside(stage.follower.process.pid())
    took = stage.wait_caught_up(voting=True)
    wait_until(lambda: number(stage.leader, "raft_snapshot_bytes_sent") > sent,
               "the leader knows of no snapshot")
    wait_until(lambda: stage.follower.info().get("raft_snapshot_last_received_mode") != "none",
               "the follower says of no snapshot that it came")  # it serves before it says so
    info = stage.follower.info()
    return {"begun_at": begun, "caught_up_s": took, "mode": info.get("raft_snapshot_last_received_mode"),
            "bytes_sent": number(stage.leader, "raft_snapshot_bytes_sent") - sent,
            "bytes_received": int(info.get("raft_snapshot_last_received_bytes", 0)),
            "state_bytes": stage.state_bytes()}


def behind_the_cut(stage):
    return back_by_snapshot(stage, wipe=False)


def wiped_follower(stage):
    return back_by_snapshot(stage, wipe=True)


def state_files(node):
    """name -> bytes of the SST files of its state."""
    found = {}
    for path in glob.glob(os.path.join(node.data, "group-1", "state-*", "*.sst")):
        try:
            found[path] = os.path.getsize(path)
        except OSError:
            continue  # merged just now
    return found


def compaction(stage):
    """Random keys are written again, in parts that are flushed each: files that overlap, more than
    RocksDB leaves alone. Files that go were merged."""
    merged, size, before = 0, 0, state_files(stage.leader)
    for _ in range(PARTS):
        rewritten = rewriter(stage)
        stage.cut()
        rewritten.wait()
        now = state_files(stage.leader)
        merged += len(before.keys() - now.keys())
        size += sum(before[path] for path in before.keys() - now.keys())
        before = now
    return {"note": f"{merged} files of {size / 2**20:.1f} MiB merged at the leader"}


def rewriter(stage):
    """A second, steady load of 10 keys per command; all its runs write as many keys as there are."""
    return generators.Load(stage.leader.port, "mset", clients=2, keys=stage.options.keys,
                           requests=stage.options.keys // PARTS // 10, value_bytes=VALUE,
                           rate=stage.options.rewrite_rate // 10, seed=time.monotonic_ns())


def rewriting(stage):
    """What to compare compactions with: the same writes, nothing flushed."""
    for _ in range(2):
        rewriter(stage).wait()


# name: (the event, what already runs before it)
EVENTS = {
    "nothing": (nothing, None),
    "snapshot": (snapshot, None),
    "slow follower": (slow_follower, None),
    "5 % behind the cut": (behind_the_cut, None),
    "wiped follower": (wiped_follower, None),
    "compaction": (compaction, rewriting),
}


def tail(samples, begin, end):
    """Of the commands that were due in this time (seconds)."""
    chosen = sorted(latency for due, latency in samples if begin <= due < end)
    if not chosen:
        return None
    return {"count": len(chosen), "p50_ms": chosen[len(chosen) // 2],
            "p99_ms": chosen[min(len(chosen) - 1, len(chosen) * 99 // 100)], "max_ms": chosen[-1]}


def read_samples(path):
    """[(due in seconds of time.monotonic(), latency in ms)]"""
    numbers = array.array("Q")
    with open(path, "rb") as file:
        numbers.frombytes(file.read())
    return [(due / 1e9, latency / 1e6) for due, latency in zip(numbers[0::2], numbers[1::2])]


def play(options, stage):
    """Runs the events one after the other; gives their moments."""
    played = []
    for name in options.events:
        event, warm_up = EVENTS[name]
        time.sleep(1)
        before = time.monotonic()
        if warm_up:
            warm_up(stage)
        else:
            time.sleep(options.calm)
        begun = time.monotonic()
        found = event(stage)
        ended = time.monotonic()
        time.sleep(options.calm)
        now_leads = stage.cluster.leader()
        if now_leads is not stage.leader:
            raise clusters.Failure(f"the leader changed during '{name}'")
        played.append({"event": name, "before_at": before, "before_until": begun,
                       "begun_at": begun, "ended_at": ended, "after_until": time.monotonic(), **found})
        print(f"  {name}: {ended - begun:.2f} s", flush=True)
    return played


def judge(rows, samples):
    """Adds the tails and the bar's verdict."""
    for row in rows:
        row["seconds"] = row["ended_at"] - row["begun_at"]
        row["ended_at"] = max(row["ended_at"], row["begun_at"] + SHORTEST)
        row["before"] = tail(samples, row["before_at"], row["before_until"])
        row["during"] = tail(samples, row["begun_at"], row["ended_at"])
        row["after"] = tail(samples, row["ended_at"], row["after_until"])
        both = row["before"] and row["during"]
        row["p99_ratio"] = row["during"]["p99_ms"] / row["before"]["p99_ms"] if both else None
        row["verdict"] = "too short to tell" if not both or row["during"]["count"] < 100 else \
            "met" if row["p99_ratio"] < BAR else "short"


def print_rows(options, rows):
    def of(row, phase, key):
        return row[phase][key] if row[phase] else None

    table = []
    for row in rows:
        sent, state = row.get("bytes_sent"), row.get("state_bytes")
        table.append([row["event"], row["seconds"], row.get("caught_up_s"),
                      sent / 2**20 if sent else None,
                      f"{100 * sent / state:.1f} %" if sent and state else None, row.get("mode"),
                      *(of(row, phase, "p99_ms") for phase in ("before", "during", "after")),
                      row["p99_ratio"],
                      *(of(row, phase, "max_ms") for phase in ("before", "during", "after")),
                      row.get("note", "")])
    print(f"\n{options.keys} keys of {VALUE} B, {options.rate} SET/s steady, {CLIENTS} connections; "
          "latencies in ms from the moment a command was due")
    report.print_table(HEAD, table)
    print()
    for row in rows:
        ratio = "-" if row["p99_ratio"] is None else f"{row['p99_ratio']:.2f}"
        print(f"{row['event']}: p99 during / before required < {BAR:g}: measured {ratio} -> "
              f"{row['verdict']}")
        if row.get("mode") == "delta":
            part = row["bytes_sent"] / row["state_bytes"]
            print(f"{row['event']}: bytes sent / whole state required < {DELTA_BAR:g}: measured "
                  f"{part:.3f} -> {'met' if part < DELTA_BAR else 'short'}")


def draw(options, rows, samples):
    from bench import plots

    start, slot, slots = samples[0][0], 0.5, {}
    for due, latency in samples:
        slots.setdefault(int((due - start) / slot), []).append(latency)
    lines = {"p99": [], "max": []}
    for turn, latencies in sorted(slots.items()):
        latencies.sort()
        lines["p99"].append((turn * slot, latencies[len(latencies) * 99 // 100]))
        lines["max"].append((turn * slot, latencies[-1]))
    spans = [(row["event"], row["begun_at"] - start, row["ended_at"] - start) for row in rows]
    plots.timeline(options.plot, f"{options.rate} SET/s, latency per {slot} s", "ms", lines, spans)


def parse(words):
    parser = tools.parser("stalls", __doc__)
    parser.add_argument("--keys", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=2000, help="SET/s of the steady load")
    parser.add_argument("--rewrite-rate", type=int, default=10_000,
                        help="keys/s written besides for compactions")
    parser.add_argument("--calm", type=float, default=5, help="seconds before and after an event")
    parser.add_argument("--pause", type=float, default=3, help="seconds the slow follower stops")
    parser.add_argument("--aside", action="store_true",
                        help="a follower that comes back gets the processor time that others leave, "
                             "as if it had a machine of its own")
    parser.add_argument("--apart", action="store_true",
                        help="the load generator never waits for a processor (real time, as root), "
                             "as if clients had machines of their own")
    parser.add_argument("--events", default=",".join(EVENTS), help="of " + ", ".join(EVENTS).replace("%", "%%"))
    options = parser.parse_args(words)
    options.events = [name.strip() for name in options.events.split(",")]
    for name in options.events:
        if name not in EVENTS:
            parser.error(f"there is no event '{name}'")
    return options


def run(options, directory):
    """(rows, samples)"""
    missed = options.keys // 20 * (VALUE + 30)  # bytes of log that a follower shall lack
    settings = {**SETTINGS, "raft.log-max-cache-size": str(max(65536, missed // 4)),
                **tools.settings(options)}
    system = systems.make("kiwi-3", directory, options.port, settings,
                          systems.need(["kiwi-3"], options))
    samples_file = os.path.join(directory, "samples")
    try:
        system.start()
        generators.fill(system, options.keys, VALUE)
        stage = Stage(options, system)
        load = generators.Load(system.port, "set", clients=CLIENTS, rate=options.rate,
                               seconds=3600, keys=max(100, options.keys // 100), value_bytes=VALUE,
                               samples=samples_file)
        try:
            if options.apart:
                load.never_wait()
            rows = play(options, stage)
            load.end()
        except BaseException:
            load.kill()
            raise
        return rows, read_samples(samples_file)
    finally:
        system.stop()


def main(words):
    options = parse(words)
    tools.prepare(options)
    directory = tempfile.mkdtemp(prefix="kiwi-bench-stalls-", dir=options.dir)
    try:
        rows, samples = run(options, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    judge(rows, samples)
    print_rows(options, rows)
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "keys": options.keys,
                                         "rate": options.rate, "events": rows})
    if options.plot:
        draw(options, rows, samples)
    return 0
