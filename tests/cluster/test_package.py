"""The Debian packages of this server: lintian, what lies in them, nodes that run from them, and what they
tell the service manager that started them."""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from support.cluster import wait_serving
from support.manager import Manager
from support.ports import free_port, free_web_port
from support.processes import run_server, server_binary, spawn
from support.resp import Connection
from support.waiting import wait_until

TREE = pathlib.Path(__file__).resolve().parents[2]
UNIT = TREE / "config" / "package" / "debian" / "kiwi-server.service"
NEEDED = ("dh", "dpkg-buildpackage", "lintian")
missing = [name for name in NEEDED if not shutil.which(name)]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"there is no {', '.join(missing)} (Debian: debhelper dpkg-dev "
                                                      "lintian)")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Of the server under test. lintian was silent about them."""
    out = tmp_path_factory.mktemp("packages")
    done = subprocess.run([TREE / "scripts" / "package", "--server", server_binary(), "--dir", out, "--quick",
                           "--check"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def root(packages, tmp_path_factory):
    """The files of the packages below a directory, as they would lie below /."""
    root = tmp_path_factory.mktemp("root")
    for name in ("kiwi-server", "kiwi-tools"):
        subprocess.run(["dpkg-deb", "-x", next(packages.glob(f"{name}_*.deb")), root], check=True)
    return root


class Installed:
    """A node out of the package, with its configuration; only what must lie elsewhere is told otherwise."""

    def __init__(self, root: pathlib.Path, home: pathlib.Path, manager: Manager | None = None, *options: str):
        self.port, self.log = free_port(), home / "kiwi-server.log"
        self.conf = home / "kiwi.conf"
        shutil.copy(root / "etc/kiwi/kiwi.conf", self.conf)
        self.argv = [str(root / "usr/bin/kiwi-server"), str(self.conf), "--dir", str(home / "data"), "--backup-dir",
                     str(home), "--logfile", str(self.log), "--port", str(self.port), "--http-port",
                     str(free_web_port()), *options]
        self.process = spawn(self.argv, env={**os.environ, **(manager.environment if manager else {})})

    def __enter__(self) -> "Installed":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def call(self, *words: object):
        with Connection("127.0.0.1", self.port) as connection:
            return connection.call(*words)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


# ---------------------------------------------------------------- what lies in them

def test_a_package_has_its_dependencies_and_no_secret(packages, root):
    deb = next(packages.glob("kiwi-server_*.deb"))
    fields = subprocess.run(["dpkg-deb", "-f", deb, "Package", "Depends"], capture_output=True, text=True).stdout
    assert "librocksdb" in fields and "adduser" in fields
    scripts = root.parent / "scripts"
    subprocess.run(["dpkg-deb", "-e", deb, scripts], check=True)
    assert (scripts / "conffiles").read_text().split() == ["/etc/kiwi/kiwi.conf", "/etc/logrotate.d/kiwi-server"]
    assert "\nraft.cluster-secret" not in (root / "etc/kiwi/kiwi.conf").read_text()


def test_manual_and_completion_are_those_of_the_server_they_come_with(root):
    code, text = run_server("--help", binary=str(root / "usr/bin/kiwi-server"))
    options = set(re.findall(r"^  --(\S+)$", text, re.M))
    assert code == 0 and len(options) > 80
    page = subprocess.run(["zcat", root / "usr/share/man/man5/kiwi.conf.5.gz"], capture_output=True, text=True).stdout
    named = {name.replace("\\-", "-") for name in re.findall(r"^\\fB(\S+)\\fR \\fI", page, re.M)}
    completion = (root / "usr/share/bash-completion/completions/kiwi-server").read_text()
    assert options <= named and options <= set(re.findall(r"--([a-z][\w.-]+)", completion))
    code, conf = run_server("--print-config", binary=str(root / "usr/bin/kiwi-server"))
    assert code == 0 and (root / "usr/share/doc/kiwi-server/examples/kiwi.conf").read_text() == conf


def test_commands_of_the_manual_are_those_of_the_server(root, single):
    page = subprocess.run(["zcat", root / "usr/share/man/man7/kiwi-commands.7.gz"], capture_output=True,
                          text=True).stdout
    first = {tag.split()[0].replace("\\-", "-") for tag in re.findall(r"^\\fB([A-Z].*)\\fR$", page, re.M)}
    names = {name.decode().upper() for name in single.node(1).call("COMMAND", "LIST")}
    assert first - {"SENTINEL"} <= names <= first, "SENTINEL has a port of its own"


# ---------------------------------------------------------------- nodes that run from them

def test_a_node_runs_as_it_is_installed(root, tmp_path):
    with Manager(tmp_path, watchdog_ms=900) as manager, Installed(root, tmp_path, manager) as node:
        manager.wait("READY=1")
        manager.wait("STATUS=leads")
        assert node.call("SET", "greeting", "hello") == "OK"
        assert node.call("CONFIG", "SET", "slowlog-max-len", "77") == "OK"
        assert node.call("CONFIG", "REWRITE") == "OK" and "slowlog-max-len 77" in node.conf.read_text()
        assert node.call("RAFT.BACKUP", "monday") and (tmp_path / "monday").is_dir()
        node.log.rename(tmp_path / "rotated")
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: node.log.exists() and "opened anew" in node.log.read_text(), 10, "a new log file")
        begun = time.monotonic()
        time.sleep(2)
        fed = len(manager.caught_up().lines("WATCHDOG=1", begun))
        assert 4 <= fed and fed / (time.monotonic() - begun) <= 4, "every 300 ms"
        assert node.stop() == 0
        manager.caught_up()
        assert manager.lines("STOPPING=1") == ["STOPPING=1"] and manager.lines("EXTEND_TIMEOUT_USEC=")
        assert manager.lines("READY=1") == ["READY=1"] and manager.status() == "stopping"


def test_a_loop_that_stands_still_feeds_no_watchdog(root, tmp_path):
    with Manager(tmp_path, watchdog_ms=900) as manager, \
            Installed(root, tmp_path, manager, "--enable-debug-command", "local") as node:
        manager.wait("READY=1")
        begun = time.monotonic()
        assert node.call("DEBUG", "SLEEP", "2") == "OK"
        fed = [when for when, line in list(manager.caught_up().said) if line == "WATCHDOG=1" and begun + 0.3 < when < begun + 1.9]
        assert not fed, "a thread of its own says so whatever the loop does"
        manager.wait("WATCHDOG=1")
        assert node.call("PING") == "PONG"


def test_ready_means_that_it_listens_not_that_there_is_a_quorum(root, make_cluster, monkeypatch, tmp_path):
    """Who starts a cluster's nodes in a row would wait for the first for ever."""
    monkeypatch.setenv("KIWI_SERVER", str(root / "usr/bin/kiwi-server"))
    cluster = make_cluster(3, start=False)
    managers = []
    for node in cluster.nodes:
        home = tmp_path / str(node.id)
        home.mkdir()
        managers.append(Manager(home))
        node.environment.update(managers[-1].environment)
    with managers[0], managers[1], managers[2]:
        cluster.node(1).start()
        managers[0].wait("READY=1")
        wait_until(lambda: managers[0].status().startswith("not ready: "), 10, "node 1 to say that it is not ready")
        cluster.start()
        leader = cluster.wait_leader()
        for node, manager in zip(cluster.nodes, managers):
            wanted = "leads" if node is leader else f"follows node {leader.id}"
            wait_until(lambda: manager.status() == wanted, 10, f"node {node.id} to say: {wanted}")
        leader.kill()
        others = [node for node in cluster.nodes if node is not leader]
        successor = cluster.wait_leader(among=others, other_than=leader)
        wait_until(lambda: managers[successor.id - 1].status() == "leads", 10, "the new leader's status")
        for node in others:
            assert node.terminate() == 0


def test_an_upgrade_by_packages_and_back_loses_no_client(root, packages, make_cluster, monkeypatch, tmp_path):
    """Node after node gets the files of another version while the cluster serves, as dpkg and its restart do."""
    homes = {}
    for number in (1, 2, 3):
        homes[number] = tmp_path / str(number)
        subprocess.run(["cp", "-a", root, homes[number]], check=True)
    cluster = make_cluster(3, start=False)

    def start(node):
        monkeypatch.setenv("KIWI_SERVER", str(homes[node.id] / "usr/bin/kiwi-server"))
        node.start()
    for node in cluster.nodes:
        start(node)
    cluster.wait_ready()
    deb, written = next(packages.glob("kiwi-server_*.deb")), 0
    for _ in ("up", "down"):
        for node in [*cluster.followers(), cluster.wait_leader()]:
            subprocess.run(["dpkg-deb", "-x", deb, homes[node.id]], check=True)  # while it runs
            assert node.call("PING") == "PONG"
            assert node.terminate() == 0
            others = [other for other in cluster.nodes if other is not node]
            for other in others:
                written += 1
                assert other.call("INCR", "written") == written
            start(node)
            wait_serving(node)
            cluster.wait_ready()
    assert cluster.node(1).call("GET", "written") == str(written).encode()


def test_what_a_start_cannot_cure_ends_with_the_status_that_the_unit_knows(root, tmp_path):
    binary = str(root / "usr/bin/kiwi-server")
    prevents = int(re.search(r"^RestartPreventExitStatus=(\d+)$", UNIT.read_text(), re.M)[1])
    assert run_server("--no-such-option", "1", binary=binary)[0] == prevents
    assert run_server(str(tmp_path / "no.conf"), binary=binary)[0] == prevents


# ---------------------------------------------------------------- the unit's sandbox

def calls_of(group: str) -> set[str]:
    text = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True,
                          check=True).stdout
    words = [line.strip() for line in text.splitlines()[1:]]
    found = {word for word in words if word and word[0] not in "#@"}
    return found.union(*(calls_of(word) for word in words if word.startswith("@")))


@pytest.mark.skipif(not (shutil.which("strace") and shutil.which("systemd-analyze")),
                    reason="there is no strace or no systemd")
def test_the_unit_lets_the_server_do_what_it_does(root, tmp_path):
    """Every system call of a node that writes, reads, snapshots, backs up and ends is one that it may make."""
    allowed: set[str] = set()
    for words in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
        listed = words.removeprefix("~").split()
        calls = set().union(*(calls_of(word) if word.startswith("@") else {word} for word in listed))
        allowed = allowed - calls if words.startswith("~") else allowed | calls
    trace, port = tmp_path / "trace", free_port()
    node = spawn(["strace", "-D", "-f", "-qq", "-o", str(trace), str(root / "usr/bin/kiwi-server"), "--dir",
                  str(tmp_path / "data"), "--port", str(port), "--http-port", str(free_web_port())])
    try:
        def call(*words):
            with Connection("127.0.0.1", port) as connection:
                return connection.call(*words)
        wait_until(lambda: call("SET", "k", "x" * 100_000) == "OK", 30, "the node to serve")
        for words in (("EVAL", "return redis.call('incr', 'n')", 0), ("BGSAVE",), ("INFO", "everything"),
                      ("RAFT.BACKUP", str(tmp_path / "backup")), ("CONFIG", "SET", "maxclients", 100)):
            call(*words)
        node.terminate()
        node.wait(30)
        wait_until(lambda: "exit_group(" in trace.read_text(), 10, "the last line of the trace")
    finally:
        node.kill()
    made = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M))
    assert {"fdatasync", "epoll_wait", "execve"} & made and not made - allowed, made - allowed
    assert not re.search(r"PROT_WRITE\|PROT_EXEC", trace.read_text()), "MemoryDenyWriteExecute"
