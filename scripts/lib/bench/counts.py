"""Counts per operation, for scripts/bench profile: system calls and hops between actors (perf stat
on tracepoints and probes), context switches (/proc), allocations and copies (a preloaded library),
instructions (the processor's counters where the machine has them, else callgrind on one node)."""

import glob
import os
import re
import signal
import struct
import subprocess
import time

import cluster as clusters

from bench import tools

SYSCALLS = ("read", "write", "readv", "writev", "pread64", "pwrite64", "recvfrom", "recvmsg",
            "sendto", "sendmsg", "epoll_wait", "epoll_ctl", "io_uring_enter", "futex", "fdatasync", "fsync")
TRACING = "/sys/kernel/tracing"
# What counts as a hop: a message put into an actor's mailbox, a function posted to the client loop.
PROBES = {"actor messages": ("libcaf_core", "_ZN3caf15scheduled_actor7enqueueESt10unique_ptrI"),
          "posts to the client loop": ("kiwi-server", "_ZN4kiwi6actors10ClientLoop4postE")}
PRELOADED = ("allocations", "allocated bytes", "frees", "libc copies", "libc copied bytes")


def context_switches(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        try:
            with open(path) as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        except OSError:
            continue  # a thread that ended
    return total


class Probes:
    """Kernel probes on functions of the server's programs; for a with statement. Without the right
    to make them there are none."""

    def __init__(self, pid):
        self.events = {}
        self._group = f"kiwi_bench_{os.getpid()}"
        with open(f"/proc/{pid}/maps") as file:
            self._paths = {line.split()[-1] for line in file if "/" in line and " r-xp " in line}

    def __enter__(self):
        for number, (name, (library, start)) in enumerate(PROBES.items()):
            place = self._place(library, start)
            if place and self._tell(f"p:{self._group}/hop{number} {place}"):
                self.events[f"{self._group}:hop{number}"] = name
        return self

    def __exit__(self, *_):
        for event in self.events:
            self._tell("-:" + event.replace(":", "/"))

    def _place(self, library, start):
        path = next((p for p in self._paths if library in os.path.basename(p)), None)
        if path is None:
            return None
        for flags in (["-D"], []):
            names = subprocess.run(["nm", *flags, path], capture_output=True, text=True).stdout
            found = re.search(rf"^([0-9a-f]+) [TW] {re.escape(start)}", names, re.M)
            if found:
                return f"{path}:{self._in_file(path, int(found[1], 16)):#x}"
        return None

    @staticmethod
    def _in_file(path, address):
        said = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True).stdout
        for line in said.splitlines():
            if line.strip().startswith("LOAD"):
                offset, virtual, _, size = (int(word, 16) for word in line.split()[1:5])
                if virtual <= address < virtual + size:
                    return address - virtual + offset
        return address

    @staticmethod
    def _tell(line):
        try:
            file = os.open(f"{TRACING}/uprobe_events", os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, (line + "\n").encode())
            finally:
                os.close(file)
            return True
        except OSError:
            return False


def parse_stat(text):
    """perf stat -x, : event -> count; what the machine does not have is not in it."""
    found = {}
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[0].isdigit():
            found[fields[2]] = int(fields[0])
    return found


EVERYTHING = ("raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in SYSCALLS),
              "instructions:u", "instructions:k")
SYNCS = ("syscalls:sys_enter_fdatasync", "syscalls:sys_enter_fsync")


class Stat:
    """perf stat on processes until stop()."""

    def __init__(self, pids, events):
        argv = ["perf", "stat", "-x,", "-p", ",".join(map(str, pids))]
        for event in events:
            argv += ["-e", event]
        self._child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       text=True, env={**os.environ, "LC_ALL": "C"})

    def stop(self):
        self._child.send_signal(signal.SIGINT)
        return parse_stat(self._child.communicate()[1])


def count(pids, run):
    """Counts of each process while run() runs."""
    with Probes(pids[0]) as probes:
        stats = [Stat([pid], [*EVERYTHING, *probes.events]) for pid in pids]
        time.sleep(0.5)  # until they have attached
        switches = [context_switches(pid) for pid in pids]
        run()
        switched = [context_switches(pid) - before for pid, before in zip(pids, switches)]
        found = []
        for stat, switch in zip(stats, switched):
            row = {"context switches": switch}
            for event, value in stat.stop().items():
                name = event.removeprefix("syscalls:sys_enter_")
                row[{"raw_syscalls:sys_enter": "system calls", **probes.events}.get(event, name)] = \
                    value
            found.append(row)
    return found


class Preload:
    """Servers that start within it count their allocations and copies."""

    def __init__(self, directory):
        self._directory = directory
        self._saved = os.environ.get("LD_PRELOAD")
        os.environ["LD_PRELOAD"] = tools.compiled(
            "alloc_count.so", ["alloc_count.c"], "-shared", "-fPIC", "-fno-builtin",
            "-fno-tree-loop-distribute-patterns")
        os.environ["KIWI_COUNTS"] = directory

    def started(self):
        del os.environ["KIWI_COUNTS"], os.environ["LD_PRELOAD"]
        if self._saved is not None:
            os.environ["LD_PRELOAD"] = self._saved

    def read(self, pid):
        try:
            with open(os.path.join(self._directory, str(pid)), "rb") as file:
                return dict(zip(PRELOADED, struct.unpack("5Q", file.read(40))))
        except (OSError, struct.error):
            raise clusters.Failure(f"process {pid} does not count its allocations") from None


def parse_callgrind(text):
    """callgrind_annotate's report: (instructions in all, [(instructions, function)])"""
    total = re.search(r"^\s*([\d,]+).*PROGRAM TOTALS", text, re.M)
    rows = []
    for number, function in re.findall(r"^\s*([\d,]+) \([\d. ]+%\)\s+(\S.*)$", text, re.M):
        if "PROGRAM TOTALS" not in function:
            function = re.sub(r"^(\?\?\?|[^ :]*[^ :]):(?!:)", "", function)
            rows.append((int(number.replace(",", "")), re.sub(r" \[[^]]*\]$", "", function)))
    return (int(total[1].replace(",", "")) if total else 0), rows
