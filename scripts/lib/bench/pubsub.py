"""scripts/bench pubsub: PUBLISH with 0, 1 and 100 subscribers of the channel, beside redis-server.

50 clients with pipelines of 16 publish at the leader; subscribers are spread over the nodes. Rates and CPU
(of all servers) are for a PUBLISH; `each` is CPU for a message that a subscriber was given. What did not
arrive, and subscribers that a server closed because they fell behind, are counted. The subscribers are one
more process on this machine (subscribers.cpp).
"""

import json
import os
import subprocess
import time

import cluster as clusters

from bench import loads, machine, report, systems, tools

SYSTEMS = ("redis", "kiwi-1", "kiwi-3")
CHANNEL = "news"
HEAD = ["system", "subscribers", "publishers", "PUBLISH/s", "CPU us/op", "p50 ms", "p99 ms", "given /s", "each us",
        "missing", "closed"]


class Subscribers:
    """Of one channel, until stop()."""

    def __init__(self, ports, count):
        self._child = None
        if count == 0:
            return
        program = tools.compiled("subscribers", ["subscribers.cpp"], "-std=c++20")
        self._child = subprocess.Popen([program, CHANNEL, str(count), *map(str, ports)], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self._child.stdout.readline() != "ready\n":
            _, complaint = self._child.communicate()
            raise clusters.Failure(f"subscribers: {complaint.strip()}")

    def stop(self):
        """When nothing comes any more: messages, bytes and closed."""
        if self._child is None:
            return {"messages": 0, "bytes": 0, "closed": 0}
        self._child.terminate()
        out, complaint = self._child.communicate()
        if self._child.returncode != 0:
            raise clusters.Failure(f"subscribers: {complaint.strip()}")
        return json.loads(out)

    def kill(self):
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.communicate()


def measured(options, system, name, subscribers, publishers, pipeline):
    """The warm-up's messages are counted apart, so that what arrives can be compared with what was sent."""
    system.aim()
    heard = Subscribers(system.ports(), subscribers)
    try:
        row = loads.measured(system, [f"PUBLISH {CHANNEL} @v{options.bytes}@"], options.seconds, publishers, pipeline)
        given = heard.stop()
    finally:
        heard.kill()
    sent = row["requests"] + publishers * pipeline * loads.WARM_UP_ROUNDS
    rate = row["rps"] * subscribers
    row = {"system": name, "subscribers": subscribers, "publishers": f"c{publishers} p{pipeline}", **row,
           "given_per_s": rate or None, "missing": sent * subscribers - given["messages"], "closed": given["closed"],
           "each_us": row["cpu_s_per_million"] / subscribers if subscribers else None}
    print("  " + "  ".join(report.cell(value) for value in table_row([row])), flush=True)
    return row


def run_one(options, name, repeat):
    print(f"{repeat + 1}/{options.repeats} {name}", flush=True)
    with systems.Started(options, name, tools.settings(options)) as system:
        for subscribers in options.subscribers:
            for publishers, pipeline in ((1, 1), (50, 16)):
                yield measured(options, system, name, subscribers, publishers, pipeline)


def table_row(rows):
    """Of the repeats of one measurement."""
    first = rows[0]
    return [first["system"], first["subscribers"], first["publishers"],
            *(report.median_of(rows, key) for key in ("rps", "cpu_s_per_million", "p50_ms", "p99_ms", "given_per_s",
                                                      "each_us")),
            sum(row["missing"] for row in rows), sum(row["closed"] for row in rows)]


def parse(words):
    parser = tools.parser("pubsub", __doc__)
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="of " + ", ".join(SYSTEMS))
    parser.add_argument("--subscribers", type=tools.counts, default=[0, 1, 100])
    parser.add_argument("--bytes", type=int, default=64, help="of a message")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="each run takes about so long")
    parser.add_argument("--quick", action="store_true", help="one repeat of 0.1 s each, 10 subscribers at most: a look")
    options = parser.parse_args(words)
    options.systems = tools.names(parser, options.systems, SYSTEMS, "system")
    if options.quick:
        options.repeats, options.seconds, options.subscribers = 1, 0.1, [0, 1, 10]
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need(options.systems, options)
    begun, rows = time.monotonic(), []
    for repeat in range(options.repeats):
        for name in options.systems:
            rows += run_one(options, name, repeat)
    print(f"\nMessages of {options.bytes} B, medians of {options.repeats}, {os.cpu_count()} cores.")
    runs = {}
    for row in rows:
        runs.setdefault((row["system"], row["subscribers"], row["publishers"]), []).append(row)
    report.print_table(HEAD, [table_row(same) for same in runs.values()], left=3)
    print(f"took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "settings": tools.settings(options),
                                         "rows": rows})
    return 0
