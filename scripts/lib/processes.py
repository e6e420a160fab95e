"""Server processes that outlive the script which started them: found again by pid file."""

import glob
import os
import signal
import socket
import subprocess
import time


def _stat(pid):
    """Fields of /proc/<pid>/stat from the third on (the state), or None if there is no process."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


class Process:
    """A process named by a file that holds its pid and start time, so that a stale file (a reboot,
    a pid used again) never means somebody else's process."""

    def __init__(self, pid_file):
        self._pid_file = pid_file

    def pid(self):
        """The pid if it runs, else None."""
        try:
            with open(self._pid_file) as file:
                pid, started = file.read().split()
        except (OSError, ValueError):
            return None
        fields = _stat(pid)
        if fields is None or fields[19] != started:
            return None
        if fields[0] in "ZX" and int(fields[17]) <= 1:
            return None  # with threads left its files are still open and locked
        return int(pid)

    def is_paused(self):
        pid = self.pid()
        fields = _stat(pid) if pid else None
        return fields is not None and fields[0] in "Tt"

    def start(self, argv, log_file, cwd):
        """Starts argv in a session of its own, its output appended to log_file."""
        with open(log_file, "ab") as log:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     cwd=cwd, start_new_session=True)
        fields = _stat(child.pid)
        with open(self._pid_file + ".new", "w") as file:
            file.write(f"{child.pid} {fields[19] if fields else 0}\n")
        os.rename(self._pid_file + ".new", self._pid_file)
        return child

    def signal(self, number):
        pid = self.pid()
        if pid:
            os.kill(pid, number)
        return pid

    def wait_gone(self, seconds):
        deadline = time.monotonic() + seconds
        while self.pid():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def kill(self):
        pid = self.signal(signal.SIGKILL)
        self.wait_gone(10)
        return pid


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
            return True
        except OSError:
            return False


def port_owner(port):
    """'name (pid 123)' of who listens on a port, as far as this user may see it; else ''."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        listening = "0A"
        inodes |= {f"socket:[{row[9]}]" for row in rows
                   if row[3] == listening and int(row[1].rsplit(":", 1)[1], 16) == port}
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) in inodes:
                pid = link.split("/")[2]
                with open(f"/proc/{pid}/comm") as file:
                    return f"{file.read().strip()} (pid {pid})"
        except OSError:
            continue
    return ""
