"""Sockets that are looked at once per group of commits: nobody is forgotten, and readers pay nothing. By
epoll, and by io_uring where that works."""
from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time

import pytest

from support import engines
from support.processes import run_server
from support.waiting import wait_until

SLEEPS = "socket_looks_at_commits"  # INFO stats: groups of writes whose sockets were left alone


class Asker(threading.Thread):
    """One client that never pauses. Keeps how long each answer took, in seconds, and what was wrong."""

    def __init__(self, node, number, command):
        super().__init__(daemon=True)
        self.node, self.number, self.command = node, number, command
        self.stopping, self.took, self.wrong = False, [], ""

    def run(self):
        with self.node.connect() as connection:
            while not self.stopping and not self.wrong:
                count = len(self.took) + 1
                asked = time.monotonic()
                if self.command == "GET":
                    reply, expected = connection.call("GET", "there"), b"yes"
                else:
                    reply, expected = connection.call("INCR", f"sockets:{self.number}"), count
                self.took.append(time.monotonic() - asked)
                if reply != expected:
                    self.wrong = f"client {self.number}: {reply!r} is not {expected!r}"


def run_askers(askers, seconds):
    for asker in askers:
        asker.start()
    time.sleep(seconds)
    for asker in askers:
        asker.stopping = True
    for asker in askers:
        asker.join(20)
        assert not asker.is_alive(), f"client {asker.number} was not answered"
        assert not asker.wrong, asker.wrong


@pytest.mark.alone
def test_writers_are_read_once_a_commit_and_each_gets_its_answers(make_cluster):
    cluster = make_cluster(3)
    for node in (cluster.wait_leader(), cluster.followers()[0]):
        before = node.info("stats")
        writers = [Asker(node, 100 * node.id + i, "INCR") for i in range(12)]
        run_askers(writers, 3.0)
        assert min(len(writer.took) for writer in writers) > 10
        took = statistics.median(t for writer in writers for t in writer.took)
        slept = int(node.info("stats")[SLEEPS]) - int(before[SLEEPS])
        print(f"node {node.id}: median {took * 1000:.1f} ms, slept through {slept} groups")
        # A machine whose commits are slow never sleeps: nothing to see there.
        assert slept > 0 or took > 0.004


def test_many_writers_of_redis_benchmark_on_leader_and_follower(make_cluster):
    cluster = make_cluster(3)
    for node in (cluster.wait_leader(), cluster.followers()[0]):
        for extra in (["-c", "50", "-P", "1"], ["-c", "50", "-P", "16"], ["-c", "200", "-P", "1"]):
            run = subprocess.run(
                ["redis-benchmark", "-p", str(node.port), "-n", "15000", "-r", "1000", "-t", "set", "-q",
                 *extra], capture_output=True, text=True, timeout=120)
            assert run.returncode == 0, run.stderr
            assert "error" not in (run.stdout + run.stderr).lower(), run.stdout + run.stderr


@pytest.mark.alone
def test_a_reader_beside_writers_does_not_wait_for_their_commits(make_cluster):
    cluster = make_cluster(3)
    node = cluster.wait_leader()
    assert node.call("SET", "there", "yes") == "OK"
    writers = [Asker(node, i, "INCR") for i in range(12)]
    reader = Asker(node, 99, "GET")
    run_askers([*writers, reader], 3.0)
    read = statistics.median(reader.took)
    wrote = statistics.median(t for writer in writers for t in writer.took)
    print(f"GET {read * 1000:.2f} ms, INCR {wrote * 1000:.2f} ms")
    assert read < wrote


@pytest.mark.alone
def test_clients_that_were_silent_are_heard_beside_writers_also_when_nothing_commits(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    followers = cluster.followers()
    writers = [Asker(leader, i, "INCR") for i in range(8)]
    with leader.connect() as silent:
        for writer in writers:
            writer.start()
        time.sleep(2.5)
        assert silent.call("PING") == "PONG"
        time.sleep(1.5)
        for follower in followers:
            follower.pause()
        try:
            asked = time.monotonic()
            assert silent.call("PING") == "PONG"
            assert time.monotonic() - asked < 2
            with leader.connect() as fresh:
                assert fresh.call("PING") == "PONG"
        finally:
            for writer in writers:
                writer.stopping = True
            for follower in followers:
                follower.resume()
    cluster.wait_ready()


NAMES = {"epoll": "epoll", "uring": "io_uring"}


def test_info_and_log_say_which_engine_it_is(make_cluster, io_engine):
    node = make_cluster(1, peers=False).node(1)
    info = node.info("server")
    assert info["multiplexing_api"] == NAMES[io_engine]
    assert info["io_engine_reason"]
    assert f"clients' sockets: {NAMES[io_engine]} ({info['io_engine_reason']})" in node.log_text()
    assert node.call("CONFIG", "GET", "io-engine") == [b"io-engine", io_engine.encode()]


def test_idle_clients_cost_no_buffers(make_cluster):
    node = make_cluster(1, peers=False).node(1)
    node.call("SET", "warm", "x" * 100)
    idle = [node.connect() for _ in range(50)]
    before = node.rss_bytes()
    idle += [node.connect() for _ in range(500)]
    for connection in idle:
        assert connection.call("PING") == "PONG"
    grown = node.rss_bytes() - before
    print(f"{grown / 500 / 1024:.1f} KiB a client")
    assert grown < 500 * 16 * 1024
    for connection in idle:
        connection.close()
    wait_until(lambda: int(node.info("clients")["connected_clients"]) == 1, 10, "clients to be gone")


def test_connections_that_come_and_go_leave_nothing(make_cluster):
    node = make_cluster(1, peers=False).node(1)
    with node.connect() as watcher:
        watcher.call("PING")
        def open_descriptors():
            return len(os.listdir(f"/proc/{node.pid}/fd"))
        descriptors = open_descriptors()
        for _ in range(1000):
            with node.connect() as connection:
                assert connection.call("INCR", "came") > 0
        assert watcher.call("GET", "came") == b"1000"
        wait_until(lambda: open_descriptors() <= descriptors + 2, 10, "descriptors to be closed")


FORBIDDEN = [("setup", 1), ("setup", 38), ("enter", 1), ("register", 1)]


@pytest.mark.parametrize("call,errno", FORBIDDEN)
def test_where_io_uring_is_forbidden_epoll_serves_and_says_why(make_cluster, io_engine, call, errno):
    if io_engine == "epoll":
        pytest.skip("nothing is forbidden then")
    cluster = make_cluster(3, start=False, options={"io-engine": "auto"})
    for node in cluster.nodes:
        engines.forbid(node, call, errno)
    cluster.start()
    node = cluster.wait_leader()
    info = node.info("server")
    assert info["multiplexing_api"] == "epoll"
    assert info["io_engine_reason"].startswith("io_uring does not work here: ")
    assert "clients' sockets: epoll (io_uring does not work here: " in node.log_text()
    run_askers([Asker(node, i, "INCR") for i in range(8)], 1.0)
    assert all(member.terminate() == 0 for member in cluster.nodes)


def test_who_asks_for_io_uring_where_it_is_forbidden_is_told(make_cluster, io_engine):
    if io_engine == "epoll":
        pytest.skip("nothing is forbidden then")
    cluster = make_cluster(1, peers=False, start=False, options={"io-engine": "uring"})
    node = cluster.node(1)
    engines.forbid(node, "setup", 1)
    node.start()
    wait_until(lambda: not node.alive(), 10, "the node to end")
    assert "io-engine uring, but io_uring does not work here: io_uring_setup: " in node.log_text()
    _, words = run_server("--io-engine", "kqueue")
    assert "auto, epoll or uring" in words
