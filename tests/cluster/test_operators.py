"""What operators ask of a node: MONITOR, CLIENT PAUSE and KILL, CONFIG REWRITE, DEBUG."""
from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

from support import web
from support.processes import spawn
from support.resp import NOTHING, RespError
from support.waiting import wait_until

LINE = re.compile(r"^\d{10}\.\d{6} \[(\d+) ([^\]]+)\] (.*)$", re.S)


def lines_of(monitor, count):
    """The next `count` lines: database, client, words."""
    found = []
    for _ in range(count):
        match = LINE.match(str(monitor.read()))
        assert match
        found.append((int(match[1]), match[2], match[3]))
    return found


def address_of(connection):
    host, port = connection.socket.getsockname()
    return f"{host}:{port}"


def test_a_monitor_sees_the_clients_of_its_node_and_no_others(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    for node in cluster.nodes:
        other = next(one for one in cluster.nodes if one is not node)
        with node.connect() as monitor, node.connect() as client, other.connect() as stranger:
            monitor.must("MONITOR")
            me = address_of(client)
            stranger.must("SET", "k", "elsewhere")
            client.must("SET", "k", "v")
            client.must("SELECT", 1)
            client.call("AUTH", "secret")
            client.must("MULTI")
            client.must("GET", "k")
            client.must("INCR", "n")
            client.must("EXEC")
            assert lines_of(monitor, 6) == [
                (0, me, '"SET" "k" "v"'), (1, me, '"SELECT" "1"'), (1, me, '"AUTH" "(redacted)"'),
                (1, me, '"MULTI"'), (1, me, '"GET" "k"'), (1, me, '"INCR" "n"')]
            assert lines_of(monitor, 1) == [(1, me, '"EXEC"')]
            assert monitor.read_within(0.3) is NOTHING
            # A script's calls come from where its client waits, whoever leads.
            client.must("EVAL", "redis.call('set', KEYS[1], 'x') return redis.call('get', KEYS[1])", 1, "s")
            calls = lines_of(monitor, 3)
            assert calls[0][1] == me
            assert [call[1:] for call in calls[1:]] == [("lua", '"set" "s" "x"'), ("lua", '"get" "s"')]
            stranger.must("EVAL", "return redis.call('set', KEYS[1], 'y')", 1, "s")
            assert monitor.read_within(0.3) is NOTHING
            monitor.must("RESET")
            client.must("PING")
            assert monitor.read_within(0.3) is NOTHING
            assert monitor.must("GET", "s") == b"y"  # in database 0, and an ordinary client again


def test_a_deaf_monitor_is_closed_and_nobody_waits_for_it(make_cluster):
    cluster = make_cluster(1)
    node = cluster.wait_leader()
    node.call("CONFIG", "SET", "client-output-buffer-limit", "normal 8mb 4mb 60")
    with node.connect() as monitor, node.connect() as client:
        monitor.must("MONITOR")
        value = "x" * 100_000
        for number in range(400):
            assert client.call("SET", f"k{number % 10}", value) == "OK"
        wait_until(lambda: b"flags=O" not in node.call("CLIENT", "LIST"), 10, "the monitor to be closed")
    assert int(node.info("stats")["client_output_buffer_limit_disconnections"]) >= 1


def test_a_pause_holds_writes_of_one_node_and_ends(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    node, other = cluster.nodes[:2]
    with node.connect() as admin, node.connect() as writer, node.connect() as reader:
        writer.must("SET", "k", "before")
        admin.must("CLIENT", "PAUSE", 100_000, "WRITE")
        writer.send("SET", "k", "after")
        assert writer.read_within(0.5) is NOTHING
        assert reader.must("GET", "k") == b"before"
        assert other.call("SET", "k", "elsewhere") == "OK"
        assert reader.must("GET", "k") == b"elsewhere"
        assert b" flags=b " in admin.must("CLIENT", "LIST")
        admin.must("CLIENT", "UNPAUSE")
        assert writer.read() == "OK"
        assert reader.must("GET", "k") == b"after"
        # Time ends it, too, and what holds everything.
        admin.must("CLIENT", "PAUSE", 700)
        begin = time.monotonic()
        assert reader.must("GET", "k") == b"after"
        assert 0.5 < time.monotonic() - begin < 5


def test_a_held_client_ends_no_later_than_its_node(make_cluster):
    cluster = make_cluster(1)
    node = cluster.wait_leader()
    with node.connect() as admin, node.connect() as held, node.connect() as gone:
        admin.must("CLIENT", "PAUSE", 1_000_000)
        held.send("SET", "k", "v")
        gone.send("SET", "l", "v")
        time.sleep(0.3)
        gone.close()
        assert node.terminate() == 0
        assert held.read() == "OK"


def test_client_kill_waits_for_the_writes_before_it(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    node = cluster.nodes[0]
    with node.connect() as admin, node.connect() as victim:
        victim_id = victim.must("CLIENT", "ID")
        for number in range(20):
            admin.send("SET", "k", number)
        admin.send("CLIENT", "KILL", "ID", victim_id)
        for _ in range(20):
            assert admin.read() == "OK"
        assert admin.read() == 1
        with pytest.raises(OSError):
            victim.must("PING")


def test_config_rewrite_is_what_the_next_start_reads(make_cluster, tmp_path):
    cluster = make_cluster(1)
    node = cluster.wait_leader()
    assert isinstance(node.call("CONFIG", "REWRITE"), RespError)  # started without a file
    node.terminate()
    file = tmp_path / "kiwi.conf"
    lines = ["# the node of this test", "timeout 100", "", "requirepass \"\""]
    lines += [f"{name} {value}" for name, value in
              {"port": node.port, "bind": node.host, "dir": node.dir, "raft.id": node.id,
               **node.options}.items() if value is not None]
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o640)
    argv = node.argv()[:1] + [str(file)]
    node.argv = lambda: argv
    node.start()
    cluster.wait_leader()
    assert node.call("CONFIG", "SET", "timeout", 50, "maxclients", 77) == "OK"
    assert node.call("CONFIG", "SET", "timeout", 60, "maxclients", "x").code == "ERR"
    assert node.call("CONFIG", "REWRITE") == "OK"
    text = file.read_text()
    assert text.startswith("# the node of this test\ntimeout 50\n")
    assert text.endswith("\n# Generated by CONFIG REWRITE\nmaxclients 77\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert not (tmp_path / "kiwi.conf.new").exists()
    node.kill()
    node.start()
    cluster.wait_leader()
    assert node.call("CONFIG", "GET", "timeout", "maxclients") == [b"timeout", b"50", b"maxclients", b"77"]


def test_config_rewrite_that_hangs_holds_up_nothing_else(make_cluster, tmp_path):
    cluster = make_cluster(1)
    node = cluster.wait_leader()
    node.terminate()
    file = tmp_path / "kiwi.conf"
    text = "".join(f"{name} {value}\n" for name, value in
                   {"port": node.port, "bind": node.host, "dir": node.dir, "raft.id": node.id,
                    **node.options}.items() if value is not None)
    file.write_text(text)
    argv = node.argv()[:1] + [str(file)]
    node.argv = lambda: argv
    node.start()
    cluster.wait_leader()
    fresh = tmp_path / "kiwi.conf.new"
    os.mkfifo(fresh)  # whoever opens it to write waits for a reader, as on a file system that hangs
    answers = []
    operator = threading.Thread(target=lambda: answers.append(node.call("CONFIG", "REWRITE")))
    operator.start()
    time.sleep(0.3)
    try:
        # More than LogStore writes on its own loop: its worker does it.
        assert node.call("SET", "k", b"x" * (4 << 20)) == "OK"
        assert not answers
    finally:
        reader = os.open(fresh, os.O_RDONLY | os.O_NONBLOCK)
        operator.join(10)
        os.close(reader)
    assert isinstance(answers[0], RespError)  # a pipe cannot be made durable
    assert file.read_text() == text


def test_debug_is_refused_unless_its_option_lets_it(make_cluster):
    cluster = make_cluster(1)
    node = cluster.wait_leader()
    assert "not allowed" in node.call("DEBUG", "SLEEP", 0).text
    node.terminate()
    node.options["enable-debug-command"] = "local"
    node.start()
    cluster.wait_leader()
    begin = time.monotonic()
    sleeper = threading.Thread(target=lambda: node.call("DEBUG", "SLEEP", "0.5"))
    sleeper.start()
    time.sleep(0.1)
    assert node.call("PING") == "PONG"
    assert time.monotonic() - begin >= 0.45
    sleeper.join(10)
    node.call("RPUSH", "k", "a", "b")
    assert re.match(r"Value at:0x0 refcount:1 encoding:quicklist serializedlength:\d+ lru:0 ",
                    str(node.call("DEBUG", "OBJECT", "k")))
    assert node.call("DEBUG", "OBJECT", "none") == RespError("ERR no such key")
    assert node.call("DEBUG", "SET-ACTIVE-EXPIRE", 0) == "OK"
    wait_until(lambda: node.call("CONFIG", "GET", "active-expire") == [b"active-expire", b"no"], 5,
               "the setting to be shown")


def test_the_first_process_of_a_container_can_be_stopped_while_it_starts(make_cluster, tmp_path):
    """The kernel gives such a process no signal that it has no handler for."""
    contained = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-p", "--fork", "--kill-child"]
    if subprocess.run([*contained, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespaces here")
    node = make_cluster(1, peers=False, start=False).node(1)
    users = tmp_path / "users.acl"
    os.mkfifo(users)  # whoever opens it to read waits for somebody who writes
    node.options["aclfile"] = str(users)
    process = spawn([*contained, *node.argv()])
    try:
        wait_until(lambda: web.status(node, "/livez") != 0, 20, "the port that tells of the start")
        inside = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(inside[0]), signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
