"""The table of workloads: one row adds one.

Names are `kind cCLIENTS pPIPELINE VALUE`; patterns (fnmatch) choose among them. Kinds that
redis-benchmark has are driven by it, the others, and all of etcd's, by load.cpp.
"""

import dataclasses
import fnmatch

import cluster as clusters

from bench import type_commands

KEYS = 100_000
ETCD_KEYS = 10_000  # of reads, since etcd takes long to fill; fewer keys are no harder for it
DATA_BYTES = 128 * 2**20  # at most, so that what is not called cold fits Kiwi's default cache
REDIS_BENCHMARK = ("set", "get", "incr", "mset")  # its -t names; mset writes 10 keys
READS = ("get", "stale", "mixed")
# Of one stream, each the command's name: an entry comes; one is delivered, and pending from then on; any one
# is acknowledged.
STREAMS = ("xadd", "xreadgroup", "xack")
KEY_BYTES = 16

SET_SYSTEMS = ("redis", "redis-aof", "kiwi-1", "kiwi-3", "kiwi-3-follower", "etcd-3")
GET_SYSTEMS = ("redis", "kiwi-3", "kiwi-3-follower", "etcd-3")


@dataclasses.dataclass(frozen=True)
class Workload:
    kind: str  # set get incr mset mixed stale, of STREAMS, or of type_commands
    clients: int = 50
    pipeline: int = 1
    value: int = 64
    cold: bool = False  # twice as much data as --cache-state: most reads miss the table
    systems: tuple = ()  # those of the default run that it is about; of any other run all are
    must_show: bool = False  # a row of the default run

    @property
    def name(self):
        size = f"{self.value} B" if self.value < 1024 else f"{self.value // 1024} KiB"
        return f"{'cold ' if self.cold else ''}{self.kind} c{self.clients} p{self.pipeline} {size}"

    def supported_by(self, system):
        """etcd has no pipelines, counters or several keys at once; what is cold depends on Kiwi's
        cache, with redis-server beside it. Of the generators redis-benchmark alone speaks TLS."""
        if system.endswith("-tls"):
            return self.kind in REDIS_BENCHMARK and not self.cold
        if self.cold:
            return system.startswith("kiwi") or system == "redis"
        if system.startswith("etcd"):
            return self.pipeline == 1 and self.kind in ("set", "get", "mixed")
        return True

    def keys(self, system, cache_bytes):
        if self.cold:
            return 2 * cache_bytes // (self.value + KEY_BYTES)
        if system.startswith("etcd") and self.kind in READS:
            return ETCD_KEYS
        return min(KEYS, DATA_BYTES // self.value)


# The lonely writer first: what larger loads leave to be flushed would count as its bytes and CPU.
MUST_SHOW = [
    Workload("set", clients=1, systems=("redis", "redis-aof", "kiwi-3", "etcd-3")),
    Workload("set", systems=SET_SYSTEMS),
    Workload("set", pipeline=16, systems=SET_SYSTEMS),
    Workload("get", systems=GET_SYSTEMS),
    Workload("get", pipeline=16, systems=GET_SYSTEMS),
    Workload("stale", pipeline=16, systems=GET_SYSTEMS),
    Workload("get", pipeline=16, cold=True, systems=("redis", "kiwi-3")),
]
KINDS = ("set", "get", "incr", "mset", "mixed", "stale")
MORE = (
    [Workload(kind) for kind in KINDS]
    + [Workload(kind, pipeline=depth) for kind in KINDS for depth in (16, 64)]
    + [Workload(kind, clients=clients, pipeline=depth) for kind in ("set", "get")
       for clients in (1, 200) for depth in (1, 16, 64)]
    + [Workload(kind, pipeline=depth, value=size) for kind in ("set", "get")
       for size in (1024, 16384) for depth in (1, 16)]
    + [Workload("get", cold=True)]
    + [Workload(kind, pipeline=depth) for kind in STREAMS for depth in (1, 16)]
    + [Workload(kind, pipeline=16) for kind in type_commands.COMMANDS]
)


def _table():
    rows = {row.name: dataclasses.replace(row, must_show=True) for row in MUST_SHOW}
    for row in MORE:
        rows.setdefault(row.name, row)
    return rows


WORKLOADS = _table()


def chosen(patterns):
    """Rows for --workloads: None is the default run, "all" everything, else patterns."""
    if patterns is None:
        return [row for row in WORKLOADS.values() if row.must_show]
    if patterns == "all":
        return list(WORKLOADS.values())
    rows = []
    for pattern in patterns.split(","):
        found = [row for name, row in WORKLOADS.items() if fnmatch.fnmatch(name, pattern.strip())]
        if not found:
            raise clusters.Failure(f"no workload is like '{pattern}'; there are: "
                                   + ", ".join(WORKLOADS))
        rows += [row for row in found if row not in rows]
    return rows
