"""The log of a node: text and JSON, and a file that is rotated while it is written."""
from __future__ import annotations

import json
import os
import signal

from support.waiting import wait_until


def test_json_lines_are_objects_from_the_first_to_the_last(make_cluster):
    cluster = make_cluster(3, options={"log-format": "json", "loglevel": "debug"})
    leader = cluster.wait_leader()
    with leader.connect() as connection:
        connection.call("CONFIG", "SET", "loglevel", "notice")
    assert leader.terminate() == 0
    for node in cluster.nodes:
        lines = [line for line in node.log_text().splitlines() if not line.startswith("---- harness")]
        objects = [json.loads(line) for line in lines]
        assert len(objects) > 3
        assert all(entry["node"] == node.id for entry in objects)
        assert {entry["level"] for entry in objects} <= {
            "debug", "verbose", "notice", "warning", "error"}
        assert all(len(entry["time"]) == len("2026-12-01T01:02:03.456Z") for entry in objects)
    assert json.loads(leader.log_text().splitlines()[-1])["message"].startswith("stopped")


def test_a_file_that_was_renamed_is_opened_anew_at_sighup(make_cluster):
    cluster = make_cluster(1, peers=False, start=False)
    node = cluster.nodes[0]
    file = cluster.root / "kiwi.log"
    node.options["logfile"] = str(file)
    cluster.start()
    before = file.read_text()
    assert "listens on port" in before
    for number in (1, 2):
        rotated = cluster.root / f"kiwi.log.{number}"
        os.rename(file, rotated)
        os.kill(node.pid, signal.SIGHUP)
        wait_until(lambda: file.exists() and "opened anew" in file.read_text(), 10, "a new file")
    assert node.call("PING") == "PONG"
    assert node.terminate() == 0
    assert "stopped" in file.read_text()
    assert (cluster.root / "kiwi.log.1").read_text().startswith(before)


def test_sighup_without_a_file_changes_nothing(single):
    node = single.node(1)
    os.kill(node.pid, signal.SIGHUP)
    wait_until(lambda: "SIGHUP" in node.log_text(), 10, "the signal to be taken")
    assert node.call("PING") == "PONG"
