"""The HTTP port: metrics of every row, what health says through the death of a leader, a lost quorum, a
loop that stands still, loading and drain, and what it refuses."""
from __future__ import annotations

import base64
import json
import pathlib
import random
import re
import socket
import threading
import time

import pytest

from support import web
from support.waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENDPOINTS = ("/startupz", "/livez", "/readyz", "/leader")


def rows_of_metrics_def() -> dict[str, str]:
    """series -> type, of config/metrics.def."""
    text = (ROOT / "config" / "metrics.def").read_text()
    rows = {m[2]: {"kCounter": "counter", "kGauge": "gauge"}[m[1]] for m in re.finditer(
        r'^(?:CLIENT|RAFT)_METRIC\(\w+, "[^"]*", "[^"]*", (\w+), \w+,\s*"(\w+)"', text, re.M)}
    rows |= {name: "histogram" for name in re.findall(
        r'^(?:CLIENT|RAFT)_DURATIONS\(\w+, "(\w+)"', text, re.M)}
    assert len(rows) == len(re.findall(r"^(?:CLIENT|RAFT)_\w+\(", text, re.M))
    return rows


def said(node) -> dict[str, int]:
    return {path: web.status(node, path) for path in ENDPOINTS}


def wait_said(node, what: dict[str, int], timeout: float = 20.0) -> None:
    def fits():
        now = said(node)
        return all(now[path] == code for path, code in what.items())
    try:
        wait_until(fits, timeout, f"node {node.id} to say {what}", interval=0.03)
    except AssertionError as error:
        raise AssertionError(f"{error}; it says {said(node)}") from None


def test_every_row_has_a_series_and_counts(shared):
    leader = shared.wait_leader()
    for node in shared.nodes:
        with node.connect() as connection:
            connection.pipeline([("SET", f"web:{n}", "x") for n in range(100)])
            assert connection.call("LPUSH", "web:1", "x").code == "WRONGTYPE"
            before = web.metrics(node)
            time.sleep(0.3)
            connection.pipeline([("SET", f"web:{n}", "x") for n in range(100)])
            after = web.metrics(node)
        for series, kind in rows_of_metrics_def().items():
            assert after.types.get(series) == kind, series
            assert series in after.samples or series + "_count" in after.samples, series
        calls = 'kiwi_command_calls_total{command="set"}'
        assert after[calls] - before[calls] == 100
        count = 'kiwi_command_service_seconds_count{command="set"}'
        assert after[count] == after[calls]
        buckets = [value for series, value in after.samples.items()
                   if series.startswith('kiwi_command_service_seconds_bucket{command="set"')]
        assert buckets == sorted(buckets) and buckets[-1] == after[count]
        assert after["kiwi_commit_seconds_count"] > 0 and after["kiwi_log_sync_seconds_count"] > 0
        assert after['kiwi_errors_total{error="WRONGTYPE"}'] >= 1
        assert after["kiwi_raft_leader_id"] == leader.id
        assert after['kiwi_raft_role{role="leader"}'] == (node is leader)
        assert after["kiwi_ready"] == 1 and after['kiwi_loop_stalled{loop="client"}'] == 0
        info = node.info("stats")
        assert int(info["total_net_input_bytes"]) >= after["kiwi_net_input_bytes_total"] > 0
        for peer in shared.nodes:
            if peer is not node:
                assert after[f'kiwi_peer_up{{peer="{peer.id}"}}'] == 1
                assert (f'kiwi_peer_lag_entries{{peer="{peer.id}"}}' in after.samples) == (
                    node is leader)


def test_hostile_words_of_errors_are_labels(shared):
    node = shared.nodes[0]
    with node.connect() as connection:
        for word in (b'X"} 1', b"Y\\", b"Z\n{", b"\xff\xfe", b"\x01\x02"):
            connection.call("EVAL", "return redis.error_reply(ARGV[1])", 0, word)
    assert [series for series in web.metrics(node).samples if series.startswith("kiwi_errors_total")]


def test_health_through_a_killed_leader_and_a_lost_quorum(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    for node in cluster.nodes:
        wait_said(node, {"/startupz": 200, "/livez": 200, "/readyz": 200,
                         "/leader": 200 if node is leader else 503})
    leader.kill()
    assert said(leader) == dict.fromkeys(ENDPOINTS, 0)
    others = [node for node in cluster.nodes if node is not leader]
    second = cluster.wait_leader(among=others)
    for node in others:
        wait_said(node, {"/livez": 200, "/readyz": 200, "/leader": 200 if node is second else 503})
    last = next(node for node in others if node is not second)
    second.kill()
    wait_said(last, {"/livez": 200, "/readyz": 503, "/leader": 503})
    assert "leader" in web.ask(last, "/readyz")[1]
    time.sleep(3)
    assert web.status(last, "/livez") == 200  # a restart brings no quorum
    leader.start()
    second.start()
    for node in cluster.nodes:
        wait_said(node, {"/startupz": 200, "/livez": 200, "/readyz": 200})


def test_a_node_without_a_cluster_is_alive_and_not_ready(make_cluster):
    cluster = make_cluster(1, peers=False, start=False,
                           options={"raft.bootstrap": "manual", "raft.id": 1})
    cluster.start(wait=False)
    node = cluster.nodes[0]
    wait_said(node, {"/startupz": 200, "/livez": 200, "/readyz": 503, "/leader": 503})
    assert "no cluster" in web.ask(node, "/readyz")[1]
    node.call("RAFT.CLUSTER", "INIT")
    wait_said(node, {"/readyz": 200, "/leader": 200})


def test_a_client_loop_that_stands_still_is_told_while_it_does(make_cluster):
    cluster = make_cluster(1, peers=False, options={"enable-debug-command": "yes"})
    node = cluster.nodes[0]
    wait_said(node, {"/readyz": 200})
    with node.connect(30) as connection:
        connection.send("DEBUG", "SLEEP", 5)
        time.sleep(2)
        begin = time.monotonic()
        scrape = web.metrics(node)
        assert time.monotonic() - begin < 3
        assert scrape['kiwi_loop_stalled{loop="client"}'] == 1
        assert scrape['kiwi_loop_stalled{loop="raft"}'] == 0
        assert said(node) == {"/startupz": 200, "/livez": 200, "/readyz": 503, "/leader": 503}
        assert connection.read() == "OK"
    wait_said(node, {"/readyz": 200, "/leader": 200})
    wait_until(lambda: web.metrics(node)['kiwi_loop_stalled{loop="client"}'] == 0, 10, "the loop to be heard")


def test_a_drained_leader_hands_over_and_serves_on(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    answered, stopping = [], threading.Event()

    def write():
        with leader.connect() as connection:
            while not stopping.is_set():
                answered.append(connection.call("INCR", "drained"))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        code, text = web.ask(leader, "/drain", "POST")
        assert code == 200, text
        assert said(leader) == {"/startupz": 200, "/livez": 200, "/readyz": 503, "/leader": 503}
        successor = cluster.wait_leader(other_than=leader)
        # Elected again, it hands over again.
        leader.call("RAFT.TIMEOUT_NOW")
        wait_until(lambda: cluster.wait_leader() is not leader, 20, "it to lead no more")
        assert web.metrics(leader)["kiwi_draining"] == 1
        assert web.ask(leader, "/drain", "DELETE")[0] == 200
        wait_said(leader, {"/readyz": 200})
        assert successor.alive()
    finally:
        stopping.set()
        writer.join(20)
    assert len(answered) > 10 and all(isinstance(answer, int) for answer in answered)


def test_a_node_that_ends_is_not_ready(make_cluster):
    cluster = make_cluster(3)
    node = cluster.followers()[0]
    seen = set()
    stopping = threading.Thread(target=node.terminate)
    stopping.start()
    while stopping.is_alive():
        seen.add(web.status(node, "/readyz"))
    assert 503 in seen or 0 in seen
    assert web.status(node, "/readyz") == 0


def test_drain_asks_who_may_and_says_so_to_the_audit_log(make_cluster, tmp_path):
    audit = tmp_path / "audit"
    cluster = make_cluster(1, peers=False, options={"requirepass": "a:secret", "audit-log": str(audit)})
    node = cluster.nodes[0]

    def drain(user: str, password: str) -> int:
        words = base64.b64encode(f"{user}:{password}".encode()).decode()
        return web.ask(node, "/drain", "POST", {"Authorization": f"Basic {words}"})[0]
    assert web.ask(node, "/drain", "POST")[0] == 401
    assert drain("default", "wrong") == 401 and drain("other", "a:secret") == 401
    assert web.status(node, "/readyz") == 200
    assert web.ask(node, "/drain", "POST", {"Origin": "http://evil.example"})[0] == 403
    assert web.ask(node, "/drain")[0] == 405
    assert drain("default", "a:secret") == 200
    assert web.status(node, "/readyz") == 503

    def drains():
        lines = [json.loads(line) for line in audit.read_text().splitlines()] if audit.exists() else []
        return [(line["event"], line["user"]) for line in lines
                if "raft.drain" in (line.get("command"), line.get("object"))]
    wait_until(lambda: len(drains()) == 4, 10, "the lines")
    assert drains() == [("refused", ""), ("refused", "default"), ("refused", "other"), ("command", "default")]


@pytest.mark.parametrize("host, code", [
    ("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:80", 200), ("evil.example.org", 421),
    ("127.0.0.1.evil.org", 421), ("kiwi.internal:80", 200), ("", 421)])
def test_a_name_that_was_not_agreed_on_is_refused(make_cluster, host, code):
    cluster = make_cluster(1, peers=False, options={"http-hosts": "other kiwi.internal"})
    for path in ("/metrics", "/livez"):
        assert web.ask(cluster.nodes[0], path, headers={"Host": host})[0] == code


def test_noise_on_the_port_does_no_harm(single, seed):
    node = single.node(1)
    dice = random.Random(seed)
    for round_number in range(100):
        with socket.create_connection((node.host, node.web_port), timeout=5) as noise:
            try:
                noise.sendall(dice.randbytes(dice.randrange(1, 4000)))
                if round_number % 3 == 0:
                    noise.sendall(b"GET /metrics HTTP/1.1\r\nHost: " + dice.randbytes(50) + b"\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass  # the node had enough of it
    assert node.alive() and web.status(node, "/livez") == 200


def test_who_holds_every_place_does_not_keep_others_out(single):
    node = single.node(1)
    silent = [socket.create_connection((node.host, node.web_port), timeout=5) for _ in range(100)]
    try:
        for connection in silent:
            connection.send(b"GET /livez HTTP/1.1\r\nHo")
        for _ in range(10):
            assert web.status(node, "/livez") == 200
    finally:
        for connection in silent:
            connection.close()


def test_requests_that_wait_for_a_loop_keep_nobody_out(make_cluster):
    cluster = make_cluster(1, peers=False, options={"enable-debug-command": "yes"})
    node = cluster.nodes[0]
    wait_said(node, {"/readyz": 200})
    with node.connect(30) as connection:
        connection.send("DEBUG", "SLEEP", 5)
        time.sleep(0.2)
        waiting = [socket.create_connection((node.host, node.web_port), timeout=20) for _ in range(100)]
        try:
            for one in waiting:
                one.send(b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            for _ in range(10):
                assert web.status(node, "/livez") == 200
            assert web.ask(node, "/api/state")[0] == 503
            assert web.metrics(node)['kiwi_loop_stalled{loop="raft"}'] == 0
            assert connection.read() == "OK"
            codes = []
            for one in waiting:
                try:
                    codes.append(one.recv(12)[9:].decode())
                except OSError:
                    codes.append("")
            # Those that have a place are answered when the loop goes on.
            assert codes.count("401") >= 20 and set(codes) <= {"401", "503", ""}, codes
        finally:
            for one in waiting:
                one.close()


def test_a_scrape_each_moment_takes_little_of_the_loop(single):
    node = single.node(1)
    before = web.metrics(node)['kiwi_loop_cpu_seconds_total{loop="client"}']
    began = time.monotonic()
    while time.monotonic() - began < 3:
        web.metrics(node)
    used = web.metrics(node)['kiwi_loop_cpu_seconds_total{loop="client"}'] - before
    print(f"client loop: {used / (time.monotonic() - began):.2%} of its time")
    assert used < 0.5


def test_a_port_that_is_taken_is_said_and_the_node_goes_on(make_cluster):
    cluster = make_cluster(1, peers=False, start=False)
    node = cluster.nodes[0]
    with socket.create_server((node.host, node.web_port)):
        cluster.start()
        assert node.call("SET", "k", "v") == "OK"
    assert "no metrics and no health over HTTP" in node.log_text()
