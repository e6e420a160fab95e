"""scripts/bench deep: memory of a node while one client keeps thousands of requests under way.

One connection, reads and writes in a fixed ratio (4:1, 9:1 and 20:1, or --ratio), as many requests
unanswered as --outstanding says, until --requests were answered. A node that gives back what it
consumed is as large at the end as after the first tenth.
"""

import shutil
import socket
import tempfile
import time

import cluster as clusters

from bench import machine, report, systems, tools

KEYS = 1000
RATIOS = (4, 9, 20)
CHUNK = 504  # requests sent at a time: whole rounds of each usual ratio or nearly so
VALUE = b"v" * 32
SAMPLES = 20


def command(*words):
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def requests(ratio):
    """Bytes of about CHUNK requests, and how many they are."""
    rounds = max(1, CHUNK // (ratio + 1))
    parts = []
    for turn in range(rounds):
        parts.append(command(b"SET", b"key:%d" % (turn % KEYS), VALUE))
        parts += [command(b"GET", b"key:%d" % ((turn + read) % KEYS)) for read in range(ratio)]
    return b"".join(parts), len(parts)


class DeepClient:
    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._socket.settimeout(30)

    def receive(self):
        """How many replies came; values hold neither of the signs they begin with."""
        got = self._socket.recv(1 << 20)
        if not got:
            raise clusters.Failure("the node closed the connection")
        if b"-" in got:
            at = got.index(b"-")
            raise clusters.Failure(f"an error came back: {got[at:at + 100]!r}")
        return got.count(b"$") + got.count(b"+")

    def send(self, data):
        self._socket.sendall(data)

    def close(self):
        self._socket.close()


def fill(client):
    client.send(b"".join(command(b"SET", b"key:%d" % key, VALUE) for key in range(KEYS)))
    left = KEYS
    while left > 0:
        left -= client.receive()


def run(options, system, ratio):
    """[(answered, seconds, MiB of each node)]"""
    client = DeepClient(system.port)
    try:
        fill(client)
        chunk, size = requests(ratio)
        sent = answered = 0
        begun = time.monotonic()
        samples = [(0, 0.0, [resident_mib(pid) for pid in system.pids()])]
        step = options.requests // SAMPLES
        while answered < options.requests:
            while sent - answered + size <= options.outstanding:
                client.send(chunk)
                sent += size
            answered += client.receive()
            if answered >= len(samples) * step:
                samples.append((answered, time.monotonic() - begun,
                                [resident_mib(pid) for pid in system.pids()]))
        return samples
    finally:
        client.close()


def main(words):
    parser = tools.parser("deep", __doc__)
    parser.add_argument("--requests", type=lambda text: int(float(text)), default=2_000_000)
    parser.add_argument("--outstanding", type=int, default=12_000)
    parser.add_argument("--ratio", type=int, action="append", help="reads for each write")
    parser.add_argument("--system", default="kiwi-1", choices=("kiwi-1", "kiwi-3"))
    options = parser.parse_args(words)
    tools.prepare(options)
    server = systems.need([options.system], options)
    results = []
    for ratio in options.ratio or RATIOS:
        directory = tempfile.mkdtemp(prefix="kiwi-bench-deep-", dir=options.dir)
        system = systems.make(options.system, directory, options.port, tools.settings(options),
                              server)
        try:
            system.start()
            samples = run(options, system, ratio)
        finally:
            system.stop()
            shutil.rmtree(directory, ignore_errors=True)
        results.append({"ratio": ratio, "samples": samples})
        first, last = samples[2], samples[-1]
        print(f"{ratio}:1  {last[0] / last[1]:.0f} requests/s; MiB of the largest node: "
              f"{max(first[2]):.1f} after {first[0]}, {max(last[2]):.1f} after {last[0]}, "
              f"{max(max(mib) for _, _, mib in samples):.1f} at most", flush=True)
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "results": results,
                                         "outstanding": options.outstanding})
    return 0
