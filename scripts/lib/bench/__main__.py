"""scripts/bench [MEASUREMENT] [options]; MEASUREMENTS has them."""

import importlib
import signal
import sys

import cluster as clusters

MEASUREMENTS = {
    "matrix": ("matrix",
               "Kiwi, redis-server and etcd over commands, connections, pipelines, values"),
    "types": ("types", "the usual commands of each type, beside redis-server"),
    "pair": ("pair", "this tree's server against the one before a change, in pairs of runs"),
    "growth": ("growth", "curves over keys, connections and nodes"),
    "stalls": ("stalls", "what snapshots, slow and new followers and compaction do to the tail"),
    "bigkeys": ("bigkeys", "commands on keys of millions of members, in memory and mostly not"),
    "small": ("small", "bytes of memory and disk of small hashes, and rates with millions of them"),
    "streams": ("streams", "bytes and latencies of a stream of millions of entries"),
    "mixed": ("mixed", "memory of nodes with far more data than cache-state, and beside a slow reader"),
    "pubsub": ("pubsub", "PUBLISH with 0, 1 and 100 subscribers, beside redis-server"),
    "scripts": ("scripts", "memory of scripts and functions, and what the worst scripts do to others"),
    "memory": ("memory", "INFO memory beside the kernel's and the allocator's figures, over keys"),
    "deep": ("deep", "memory of a node while one client keeps thousands of requests under way"),
    "removal": ("removal", "what another client feels while many keys or members go at once"),
    "queues": ("queues", "clients in blocking commands: latency, herds, idle polls"),
    "engines": ("engines", "clients' sockets by epoll and by io_uring, idle connections, connections that come and go"),
    "disk": ("disk", "disk use over a long run of writes"),
    "profile": ("profiling", "where instructions, allocations, system calls and messages go"),
}
HELP = "scripts/bench [measurement] [options]; scripts/bench MEASUREMENT --help says more\n\n"


def help_text():
    rows = [f"  {name:<9}{what}{'  (the default)' if name == 'matrix' else ''}"
            for name, (_, what) in MEASUREMENTS.items()]
    return HELP + "\n".join(rows)


def main(words):
    if words and words[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    name = words.pop(0) if words and words[0] in MEASUREMENTS else "matrix"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped on the way out
    module = importlib.import_module("bench." + MEASUREMENTS[name][0])
    try:
        return module.main(words)
    except clusters.Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
