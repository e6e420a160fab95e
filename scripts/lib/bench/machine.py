"""What the kernel counts: of processes (CPU, memory, bytes written) and of the whole machine."""

import os
import platform
import resource
import shutil
import subprocess
import time

import cluster as clusters


def cpu_seconds(pids):
    """User and system time of processes and of their ended children."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def resident_mib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/statm") as file:
            total += int(file.read().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


def bytes_written(pids):
    """As the kernel charges processes when they change pages of files. It charges a whole folio for
    one byte of it, and where files were written in large pieces folios are large: too much, for
    writes into them."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/io") as file:
            fields = dict(line.split(": ") for line in file.read().splitlines())
        total += int(fields["write_bytes"])
    return total


def disk_bytes_written(directory):
    """What the disk of a directory was given to write, by anybody, the file system's journal
    included; None where that is no disk that counts."""
    device = os.stat(directory).st_dev
    try:
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat") as file:
            return int(file.read().split()[6]) * 512
    except OSError:
        return None


def machine_seconds():
    """(busy, stolen, all) of the whole machine."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    scale = os.sysconf("SC_CLK_TCK")
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle - ticks[7]) / scale, ticks[7] / scale, sum(ticks) / scale


def client_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def directory_bytes(path):
    """Blocks on disk below a directory whose files come and go; a file with two names counts once."""
    seen = {}
    for where, _, names in os.walk(path):
        for name in names:
            try:
                stat = os.lstat(os.path.join(where, name))
            except OSError:
                continue
            seen[stat.st_ino] = stat.st_blocks * 512
    return sum(seen.values())


def files(path):
    """All names below a directory."""
    return {os.path.join(where, name) for where, _, names in os.walk(path) for name in names}


class Watch:
    """From its making to `stop()`: what the servers used, and how quiet the machine was."""

    def __init__(self, pids, directory):
        self._pids, self._directory = pids, directory
        self._cpu, self._written = cpu_seconds(pids), bytes_written(pids)
        self._disk = disk_bytes_written(directory)
        self._machine, self._client = machine_seconds(), client_seconds()
        self._started = time.monotonic()

    def stop(self, operations):
        cpu = cpu_seconds(self._pids) - self._cpu
        busy, stolen, total = (now - then for now, then in zip(machine_seconds(), self._machine))
        others = max(0.0, busy - cpu - (client_seconds() - self._client))
        total = max(total, 1e-6)
        return {
            "cpu_s_per_million": cpu / operations * 1e6,
            "bytes_per_op": None if self._disk is None else
            (disk_bytes_written(self._directory) - self._disk) / operations,
            "charged_bytes_per_op": (bytes_written(self._pids) - self._written) / operations,
            "resident_mib": resident_mib(self._pids),
            "steal_percent": 100 * stolen / total, "others_percent": 100 * others / total,
            "load": os.getloadavg()[0],
        }


def describe():
    """Where and on what a run was made, for the reader of its figures."""
    model = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    commit = ""
    if shutil.which("git"):
        commit = subprocess.run(["git", "-C", clusters.ROOT, "describe", "--always", "--dirty"],
                                capture_output=True, text=True).stdout.strip()
    return {"time": time.strftime("%Y-%m-%d %H:%M:%S %Z"), "cores": os.cpu_count(), "cpu": model,
            "kernel": platform.release(), "commit": commit,
            "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)}
