"""Runs a load generator on a server and gives what it saw: rates and latencies in milliseconds."""

import json
import os
import re
import signal
import subprocess
import tempfile

import cluster as clusters

import resp

from bench import tools, type_commands
from bench.workloads import REDIS_BENCHMARK, STREAMS

PERCENTILE = re.compile(r"^([\d.]+)% <= ([\d.]+) milliseconds", re.M)
RATE = re.compile(r"throughput summary: ([\d.]+)")
# Of workloads.STREAMS, on one stream with one group; its entries are 1-0, 1-1, ...
STREAM, GROUP, CONSUMER = "bench:stream", "group", "consumer"
STREAM_COMMANDS = {
    "xadd": ["XADD", STREAM, "1-*", "field"],  # and the value
    "xreadgroup": ["XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", "1", "STREAMS", STREAM, ">"],
    "xack": ["XACK", STREAM, GROUP, "1-__rand_int__"],
}
DELIVERED_AT_ONCE = 100
SUMMARY = re.compile(r"latency summary \(msec\):\s+avg.*max\s+([\d. ]+)")


class Load:
    """A run of scripts/lib/bench/load.cpp; its options with _ for -."""

    def __init__(self, port, mix, **options):
        argv = [tools.load_program(), "--port", str(port), "--mix", mix]
        for name, value in options.items():
            if value is not None:
                argv += ["--" + name.replace("_", "-"), str(value)]
        self._what = " ".join(argv[3:])
        self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)

    def runs(self):
        return self._child.poll() is None

    def never_wait(self):
        """It gets a processor whenever it wants one (sched(7)): only servers wait for one."""
        try:
            os.sched_setscheduler(self._child.pid, os.SCHED_FIFO, os.sched_param(1))
        except OSError as error:
            raise clusters.Failure(f"real time for the load generator: {error}") from error

    def wait(self):
        """What it saw. An error as an answer is a failure."""
        out, complaint = self._child.communicate()
        if self._child.returncode != 0:
            raise clusters.Failure(f"load {self._what}: {complaint.strip()}")
        said = json.loads(out)
        if said["errors"]:
            raise clusters.Failure(f"load {self._what}: {said['errors']} errors, the first: "
                                   f"{said['first_error']}")
        return said

    def end(self):
        """Sends nothing more; then as wait()."""
        self._child.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self._child.kill()
        self._child.communicate()


def load(port, mix, **options):
    return Load(port, mix, **options).wait()


def commands(port, templates, **options):
    """A load of commands that templates describe (load_templates.hpp). They are drawn alike often, unless
    they are pairs of (weight, template); weights of 0 take them in turn."""
    pairs = [line if isinstance(line, tuple) else (1, line) for line in templates]
    with tempfile.NamedTemporaryFile("w", prefix="kiwi-bench-templates-") as file:
        file.write("".join(f"{weight} {words}\n" for weight, words in pairs))
        file.flush()
        return load(port, "templates", templates=file.name, **options)


def parse_redis_benchmark(text):
    """Its long report with --precision 3: only that has percentiles beyond 99."""
    text = text.replace("\r", "\n")
    rate, summary = RATE.search(text), SUMMARY.search(text)
    distribution = text.partition("Latency by percentile distribution")[2]
    distribution = distribution.partition("Cumulative distribution")[0]
    if not rate or not summary or not distribution:
        return None
    _, _, p50, _, p99, longest = (float(word) for word in summary[1].split())
    steps = [(float(part), float(value)) for part, value in PERCENTILE.findall(distribution)]
    return {"rps": float(rate[1]), "p50_ms": p50, "p99_ms": p99,
            "p999_ms": next((value for part, value in steps if part >= 99.9), longest),
            "max_ms": longest}


def redis_benchmark(port, what, clients, pipeline, keys, value, requests, tls=()):
    """what: the arguments that name tests of its own, or a command. tls: those for a TLS port."""
    argv = ["redis-benchmark", "-p", str(port), *tls, "-c", str(clients), "-P", str(pipeline),
            "-n", str(requests), "-r", str(keys), "-d", str(value), "--precision", "3", *what]
    done = subprocess.run(argv, capture_output=True, text=True)
    said = parse_redis_benchmark(done.stdout)
    if done.returncode != 0 or said is None:
        raise clusters.Failure(f"{' '.join(argv)} failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return said


def stream_command(kind, value):
    return STREAM_COMMANDS[kind] + (["v" * value] if kind == "xadd" else [])


def prepare(system, workload, requests):
    """What so many requests of it need, and use up: a stream, and its group, as new ones."""
    if workload.kind in type_commands.COMMANDS:
        type_commands.prepare(system.port, workload.kind, requests,
                              lambda lines, count: commands(system.port, lines, clients=4, pipeline=16,
                                                            requests=count))
    if workload.kind not in STREAMS:
        return
    with resp.Client("127.0.0.1", system.port, 60) as client:
        client.call("DEL", STREAM)
        if workload.kind == "xadd":
            return
        fast = {"clients": 8, "pipeline": 64, "keys": 1, "value": 1}
        redis_benchmark(system.port, stream_command("xadd", workload.value), requests=requests, **fast)
        client.call("XGROUP", "CREATE", STREAM, GROUP, "0")
        if workload.kind == "xack":
            redis_benchmark(system.port, ["XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", str(DELIVERED_AT_ONCE),
                                          "STREAMS", STREAM, ">"],
                            requests=requests // DELIVERED_AT_ONCE + 1, **fast)


def run(system, workload, keys, requests):
    """One run of a workload on a system; the result says which generator drove it."""
    if workload.kind in STREAMS:
        said = redis_benchmark(system.port, stream_command(workload.kind, workload.value), workload.clients,
                               workload.pipeline, requests, workload.value, requests)
        return {**said, "generator": "redis-benchmark"}
    if workload.kind in REDIS_BENCHMARK and system.protocol == "redis":
        said = redis_benchmark(system.port, ["-t", workload.kind], workload.clients, workload.pipeline,
                               keys, workload.value, requests, getattr(system, "tls_words", ()))
        return {**said, "generator": "redis-benchmark"}
    if workload.kind in type_commands.COMMANDS:
        said = commands(system.port, [type_commands.template(workload.kind, requests)], clients=workload.clients,
                        pipeline=workload.pipeline, requests=requests)
        return seen(said)
    stale = workload.kind == "stale"
    said = load(system.port, "get" if stale else workload.kind, clients=workload.clients,
                pipeline=workload.pipeline, keys=keys, value_bytes=workload.value,
                requests=requests, protocol=system.protocol,
                prelude="READONLY" if stale and hasattr(system, "cluster") else None)
    return seen(said)


def seen(said):
    return {**{name: said[name] for name in ("rps", "p50_ms", "p99_ms", "p999_ms", "max_ms")},
            "generator": "load"}


def fill(system, keys, value):
    """Every key once, in order."""
    etcd = system.protocol == "etcd"
    load(system.data_port, "fill", clients=50 if etcd else 8, pipeline=1 if etcd else 8, keys=keys,
         value_bytes=value, protocol=system.protocol)
