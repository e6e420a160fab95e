"""Where the time of server processes goes: samples by perf record, grouped by what the code belongs
to. Time in the kernel is grouped by the system call that it serves, since a clock that is a timer
interrupt cannot look into code that keeps interrupts off."""

import collections
import os
import re
import subprocess

import cluster as clusters

HERTZ = 499
HEAD_LINE = re.compile(r"^(.*?)\s+(\d+)/(\d+)\s*$")
FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \(([^)]*)\)$")
CALL = re.compile(r"^__x64_sys_(\w+)")
OWN = re.compile(r"\b(kiwi::(?:raft|rocks|resp|actors|config)\b|kiwi::|caf::|boost::asio|rocksdb::|"
                 r"std::)")
NETWORK = ("send", "recv", "accept", "connect", "shutdown", "socket")
DISK = ("write", "pwrite", "read", "pread", "fsync", "fdatasync", "sync", "open", "unlink", "rename",
        "fallocate", "ftruncate", "close")
MALLOC = ("malloc", "free", "calloc", "realloc", "unlink_chunk", "operator new", "operator delete",
          "_int_", "tcache", "sysmalloc", "systrim")
COPIES = ("memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "__mem", "str")


def kernel_group(frames):
    """frames: (symbol, object) from the innermost; those of the kernel come first."""
    for symbol, _ in frames:
        call = CALL.match(symbol)
        if not call:
            continue
        name = call[1]
        if name.startswith(NETWORK):
            return "kernel: network"
        if "poll" in name or "select" in name:
            return "kernel: waiting for sockets"
        if name == "futex":
            return "kernel: futex"
        inside = any("sock" in s or "tcp_" in s for s, _ in frames)
        if name.startswith(DISK):
            return "kernel: network" if inside else "kernel: files" \
                if not any("eventfd" in s for s, _ in frames) else "kernel: waking threads"
        if name.startswith(("nanosleep", "clock_nanosleep", "sched")):
            return "kernel: sleeping"
        return "kernel: other calls"
    if any("page_fault" in symbol or "exc_page" in symbol for symbol, _ in frames):
        return "kernel: page faults"
    return "kernel: interrupts and threads"


def group(frames):
    symbol, where = frames[0]
    name = os.path.basename(where)
    if where == "[kernel.kallsyms]" or name.endswith(".ko"):
        return kernel_group(frames)
    if where == "[vdso]":
        return "libc"
    if name.startswith("librocksdb"):
        return "rocksdb"
    if name.startswith("libcaf"):
        return "caf"
    if name.startswith(("libc.", "libc-", "libstdc++", "libgcc", "ld-", "libm.", "libpthread")):
        bare = symbol.lstrip("_")
        if symbol.startswith(MALLOC) or bare.startswith(MALLOC):
            return "malloc and free"
        return "copying, comparing" if symbol.startswith(COPIES) or bare.startswith(COPIES) \
            else "libc"
    if name.startswith("lib"):
        return name.split(".")[0]
    owner = OWN.search(symbol)
    if not owner:
        return "server: other"
    found = owner[1]
    if found == "std::":  # a template: of whom?
        deeper = re.search(r"kiwi::(raft|rocks|resp|actors|config)\b", symbol)
        return f"kiwi: {deeper[1]}" if deeper else "std"
    return {"kiwi::": "kiwi: base", "caf::": "caf", "boost::asio": "asio",
            "rocksdb::": "rocksdb"}.get(found) or "kiwi: " + found.removeprefix("kiwi::")


class Samples:
    """Of one process."""

    def __init__(self):
        self.total = 0
        self.groups, self.functions = collections.Counter(), collections.Counter()
        self.threads = collections.Counter()

    def add(self, thread, frames):
        self.total += 1
        self.groups[group(frames)] += 1
        self.functions[frames[0]] += 1
        self.threads[thread] += 1


def parse(text):
    """perf script's output -> pid -> Samples"""
    found, head, frames = collections.defaultdict(Samples), None, []
    for line in [*text.splitlines(), ""]:
        frame = FRAME.match(line)
        if frame:
            frames.append((frame[1], frame[2]))
            continue
        if head and frames:
            found[int(head[2])].add(head[1].strip(), frames)
        head, frames = HEAD_LINE.match(line), []
    return found


def record(pids, seconds, directory):
    """Runs for so long beside whatever loads the processes; gives a function for the result."""
    path = os.path.join(directory, "perf.data")
    recorder = subprocess.Popen(["perf", "record", "-F", str(HERTZ), "-e", "cpu-clock", "-g", "-p",
                                 ",".join(map(str, pids)), "-o", path, "--", "sleep", str(seconds)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def result():
        complaint = recorder.communicate()[1]
        done = subprocess.run(["perf", "script", "-i", path, "-F", "comm,pid,tid,ip,sym,dso"],
                              capture_output=True, text=True, errors="replace")
        samples = parse(done.stdout)
        if not samples:
            raise clusters.Failure(f"perf saw nothing: {complaint[-500:]}{done.stderr[-500:]}")
        return samples

    return result
