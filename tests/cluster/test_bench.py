"""scripts/bench runs on real servers, and what it prints can be read."""
from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from support.ports import free_ports
from test_backup import run


@pytest.fixture
def bench(tmp_path):
    def call(*words):
        out = tmp_path / "out.json"
        said = run("bench", *words, "--no-build", "--dir", tmp_path / "data", "--json", out,
                   "--port", free_ports(3))
        return said, json.loads(out.read_text())

    return call


def test_one_row_on_three_nodes_and_redis(bench):
    said, file = bench("--quick", "--systems", "redis,kiwi-3", "--workloads", "stale c50 p16*")
    rows = re.findall(r"^stale c50 p16 64 B +(redis|kiwi-3) +(\d+)", said, re.M)
    assert [system for system, _ in rows] == ["redis", "kiwi-3"]
    assert all(int(rate) > 0 for _, rate in rows)
    for row in file["results"]:
        assert row["rps"] > 0 and 0 < row["p50_ms"] <= row["p99_ms"] <= row["p999_ms"] <= row["max_ms"]
        assert row["cpu_s_per_million"] >= 0 and row["resident_mib"] > 1
    stale = next(row for row in file["verdicts"] if row["bar"].startswith("stale GET c50 p16 on the l"))
    rates = {row["system"]: row["rps"] for row in file["results"]}
    assert stale["measured"] == pytest.approx(rates["kiwi-3"] / rates["redis"])
    assert re.search(r"stale GET .* on the leader.*: measured [\d.]+ -> (goal|met|short)$", said, re.M)


def in_memory(path) -> bool:
    """Nobody is charged for bytes that reach no disk."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True)
    return kind.stdout.strip() in ("tmpfs", "ramfs")


def test_writes_are_counted_with_their_syncs_and_bytes(bench, tmp_path):
    _, file = bench("--quick", "--systems", "kiwi-1", "--workloads", "set c50 p1 64 B")
    row, = file["results"]
    assert 0 < row["syncs_per_op"] <= 1
    assert row["charged_bytes_per_op"] > 64 or in_memory(tmp_path)
    assert row["bytes_per_op"] is None or row["bytes_per_op"] > 0
    assert file["fdatasync_ms"][0] > 0


@pytest.mark.alone
def test_a_follower_that_lacks_a_little_and_one_that_lacks_all(bench):
    said, file = bench("stalls", "--keys", 20_000, "--rate", 300, "--calm", 0.3,
                       "--events", "5 % behind the cut,wiped follower")
    behind, wiped = file["events"]
    assert behind["mode"] == "delta" and wiped["mode"] == "files"
    assert 0 < behind["bytes_sent"] < wiped["bytes_sent"]
    assert behind["during"]["count"] >= 100 and behind["caught_up_s"] > 0
    assert "bytes sent / whole state required < 0.15" in said


def test_disk_use_is_sampled_while_the_log_is_cut(bench):
    said, file = bench("disk", "--system", "kiwi-1", "--writes", 60_000, "--keys", 1000, "--after", 3,
                       "--set", "raft.snapshot-entries=20", "--set", "raft.log-keep-entries=5")
    assert file["log_cuts"] >= 1 and len(file["samples"]) >= 2
    assert file["samples"][-1]["log"] > 0 and "maximum total:" in said


def test_profile_counts_allocations_calls_and_messages(bench):
    said, file = bench("profile", "--system", "kiwi-1", "--seconds", 1, "set c50 p16 64 B")
    (label, found), = file["per_operation"].items()
    assert label.startswith("leader") and file["rate"] > 0
    assert found["raft_proposed_commands"] == pytest.approx(1, rel=0.05)
    assert 0 < found["raft_fsync_count"] < 1 and found["CPU microseconds"] > 0
    # The preloaded counter: of all that the server allocates, not of a corner of it.
    assert 0.1 < found["allocations"] < 100 and 0.1 < found["frees"] < 100
    assert 64 < found["allocated bytes"] < 100_000
    assert found["libc copies"] > 1 and found["libc copied bytes"] > 64
    if os.access("/sys/kernel/tracing/events", os.R_OK):  # perf may trace
        assert found["recvfrom"] > 0.01 and found["system calls"] > found["recvfrom"]
        assert found["actor messages"] > 0.01
    assert re.search(r"^allocations +[\d.]+", said, re.M)


@pytest.mark.parametrize("measurement", ["matrix", "growth", "stalls", "disk", "profile"])
def test_each_measurement_says_how_to_use_it(measurement):
    assert f"scripts/bench {measurement}" in run("bench", measurement, "--help").replace("[matrix]", "matrix")


@pytest.mark.alone
def test_what_waiting_clients_cost_on_three_nodes_and_redis(bench):
    said, file = bench("queues", "--systems", "redis,kiwi-3", "--rounds", 30, "--waiters", 60, "--pushes", 30,
                       "--seconds", 2)
    rows = {(row["part"], row["system"]): row for row in file["results"]}
    assert len(rows) == 6 and len(re.findall(r"^(?:latency|herd|idle) +(?:redis|kiwi-3) ", said, re.M)) == 6
    latency = rows["latency", "kiwi-3"]
    for place in ("same", "follower", "out", "in", "across"):
        assert 0 < latency[f"{place}_p50_ms"] <= latency[f"{place}_p99_ms"]
    # The push, and one serve a node at most.
    assert 1 <= rows["herd", "kiwi-3"]["entries_per_push"] <= 6
    # An idle poll costs no entry; ticks of the clock are some.
    assert rows["idle", "kiwi-3"]["entries_per_s"] < 20
    assert rows["idle", "kiwi-3"]["polls_per_s"] > 30
