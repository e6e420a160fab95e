"""scripts/cluster: every command, every mistake, with a stand-in for the server."""
import os
import pathlib
import re
import socket
import subprocess
import time

import pytest

import cluster_model
import processes

HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = HERE.parents[1] / "scripts" / "cluster"


def free_base_port():
    """A port whose followers, and the same plus 10000, are free now."""
    for port in range(21000, 29000, 16):
        try:
            for offset in (0, 1, 2, 10000, 10001, 10002):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
            return port
        except OSError:
            continue
    raise RuntimeError("no free ports")


class Script:
    def __init__(self, directory, port):
        self.dir, self.port = directory, port
        self.environment = {**os.environ, "KIWI_SERVER": str(HERE / "fake_server.py"),
                            "KIWI_CLUSTER_DIR": str(directory)}

    def __call__(self, *arguments, ok=True, **environment):
        done = subprocess.run([SCRIPT, *map(str, arguments)], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**self.environment, **environment})
        assert (done.returncode == 0) == ok, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def start(self, *arguments):
        return self("start", "--port", self.port, *arguments)

    def pids(self):
        rows = re.findall(r"^  (\d+)  +(\d+|-) ", self("status"), re.M)
        return {int(node): None if pid == "-" else int(pid) for node, pid in rows}


@pytest.fixture
def script(tmp_path):
    script = Script(tmp_path / "cluster", free_base_port())
    yield script
    script("stop")


def test_start_shows_every_node_and_the_leader(script):
    said = script.start()
    assert re.search(rf"^  1  +\d+  +leader  +2  +9  +9  +127\.0\.0\.1:{script.port} ", said, re.M)
    assert said.count("follower") == 2
    assert f"redis-cli -p {script.port} set" in said


def test_tls_gives_each_node_a_port_and_certificates_that_last(script):
    said = script.start("--tls")
    assert f"redis-cli -p {script.port + 500} --tls --cacert " in said
    tls = script.dir / "tls"
    before = (tls / "node.crt").read_text()
    conf = (script.dir / "node-2" / "kiwi.conf").read_text()
    assert f"tls-port {script.port + 501}\n" in conf and f'tls-cert-file "{tls}/node.crt"' in conf
    script("stop")
    assert "--tls --cacert" in script("start")  # it stays so
    assert (tls / "node.crt").read_text() == before
    script("stop")
    script("wipe")
    assert not tls.exists()


def test_tls_is_not_added_to_nodes_that_run(script):
    script.start()
    assert "nodes run without TLS" in script("start", "--tls", ok=False)


def test_starting_twice_changes_nothing_and_says_so(script):
    script.start()
    before = script.pids()
    assert "already started" in script("start")
    assert script.pids() == before and all(before.values())


def test_stop_is_idempotent_and_start_finds_its_flags_again(script):
    script.start()
    assert "stopped node(s) 1, 2, 3" in script("stop")
    assert "nothing was running" in script("stop")
    assert script.pids() == {1: None, 2: None, 3: None}
    assert f":{script.port + 2}" in script("start")


def test_kill_and_start_bring_back_one_node_only(script):
    script.start()
    before = script.pids()
    assert f"killed node 2 (pid {before[2]})" in script("kill", 2)
    assert script.pids() == {**before, 2: None}
    assert "does not run" in script("kill", 2, ok=False)
    assert "started node(s) 2\n" in script("start")
    after = script.pids()
    assert after[2] and after[2] != before[2] and after[1] == before[1]


def test_pause_is_shown_and_a_paused_node_can_be_stopped(script):
    script.start()
    script("pause", 3)
    assert re.search(r"^  3  +\d+  +paused", script("status"), re.M)
    script("resume", 3)
    assert "paused" not in script("status")
    script("pause", 3)
    assert "stopped node(s) 1, 2, 3" in script("stop")


def test_restart_of_one_node_leaves_the_others(script):
    script.start()
    before = script.pids()
    script("restart", 2)
    after = script.pids()
    assert after[2] != before[2] and after[1] == before[1] and after[3] == before[3]


def test_wipe_of_one_node_needs_it_stopped_and_deletes_only_its_data(script):
    script.start()
    data = [script.dir / f"node-{n}" / "data" for n in (1, 2, 3)]
    assert "stop it first" in script("wipe", 2, ok=False)
    script("kill", 2)
    script("wipe", 2)
    assert [path.exists() for path in data] == [True, False, True]
    script("start")
    assert data[1].exists()


def test_wipe_of_all_needs_all_stopped(script):
    script.start()
    assert "stop it first" in script("wipe", ok=False)
    script("stop")
    script("wipe")
    assert "no cluster" in script("status", ok=False)


def test_a_port_in_use_is_named_with_its_owner(script):
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", script.port + 1))
        squatter.listen(1)
        said = script("start", "--port", script.port, ok=False)
    assert f"port {script.port + 1}, which node 2 needs, is in use" in said
    assert f"(pid {os.getpid()})" in said and "--port" in said
    assert "no cluster" in script("status", ok=False)


def test_a_node_that_ends_while_starting_shows_its_words_and_stops_the_rest(script):
    said = script("start", "--port", script.port, ok=False, FAKE_DIE="2")
    assert "node 2 ended (exit status 1)" in said
    assert "the data directory is locked by pid 7" in said
    assert script.pids() == {1: None, 2: None, 3: None}


def test_another_shape_for_an_existing_cluster_is_refused(script):
    script.start()
    assert "has --nodes 3" in script("start", "--nodes", 5, ok=False)
    assert f"has --port {script.port}" in script("start", "--port", script.port + 1, ok=False)


def test_a_stale_pid_file_is_nobody(script):
    script.start()
    pid_file = script.dir / "node-1" / "pid"
    script("kill", 1)
    pid_file.write_text(f"{os.getpid()} 12345\n")  # this process, but not its start time
    assert script.pids()[1] is None
    assert "does not run" in script("kill", 1, ok=False)
    assert "started node(s) 1" in script("start")


def test_one_node_is_a_cluster_without_peers(script):
    script.start("--nodes", 1, "--set", "loglevel=debug")
    text = (script.dir / "node-1" / "kiwi.conf").read_text()
    assert "raft.peers" not in text and 'loglevel "debug"' in text


def test_three_nodes_know_each_other_and_one_secret(script):
    script.start()
    texts = [(script.dir / f"node-{n}" / "kiwi.conf").read_text() for n in (1, 2, 3)]
    peers = {re.search("^raft.peers (.*)$", text, re.M)[1] for text in texts}
    secrets = {re.search("^raft.cluster-secret (.*)$", text, re.M)[1] for text in texts}
    assert peers == {",".join(f"{n}@127.0.0.1:{script.port + n - 1}" for n in (1, 2, 3))}
    assert len(secrets) == 1 and len(secrets.pop()) == 32
    assert (script.dir / "node-1" / "kiwi.conf").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("arguments, words", [
    (["frobnicate"], "there is no command 'frobnicate'"),
    (["kill", "1"], "no cluster"),
    (["start", "--set", "x"], "--set name=value"),
    (["start", "--port", "60000"], "leaves no room"),
])
def test_mistakes_get_a_sentence(script, arguments, words):
    assert words in script(*arguments, ok=False)


def test_restart_says_at_once_that_a_majority_is_missing(script):
    script.start()
    script("pause", 1)
    script("kill", 2)
    begin = time.monotonic()
    assert "too few nodes run for a majority" in script("restart", 3)
    assert time.monotonic() - begin < cluster_model.START_SECONDS / 2


class Shown:
    """What a node would say, for cluster_model's arithmetic."""

    def __init__(self, number, why):
        self.number, self.why = number, why

    def why_silent(self):
        return self.why


def voter(voters=3):
    return {"raft_is_voting": "yes", "raft_num_voting_nodes": str(voters)}


def test_a_missing_quorum_names_who_is_missing_and_why():
    class Five:
        nodes = [Shown(1, "-"), Shown(2, "stopped"), Shown(3, "-"), Shown(4, "paused"), Shown(5, "-")]
    one, two, three, four, five = Five.nodes
    wiped = {"raft_is_voting": "-", "raft_num_voting_nodes": "0"}
    said = cluster_model.quorum_missing(
        Five, {one: voter(5), two: {}, three: wiped, four: {}, five: voter(5)})
    assert "3 of 5 voting nodes are needed, and only 2 answer" in said
    assert "2 (stopped), 4 (paused), 3 (has lost its data)" in said
    healthy = {one: voter(5), two: {}, three: voter(5), four: {}, five: voter(5)}
    assert cluster_model.quorum_missing(Five, healthy) == ""
    forming = {node: wiped for node in Five.nodes}  # nobody has a vote yet: wait
    assert cluster_model.quorum_missing(Five, forming) == ""


def test_remove_stops_the_node_and_its_number_is_not_used_again(script):
    script.start()
    before = script.pids()
    assert "node 3 is no member any more" in script("remove", 3)
    assert script.pids() == {1: before[1], 2: before[2]}
    assert (processes._stat(before[3]) or "Z")[0] == "Z"
    assert "has the nodes 1, 2" in script("kill", 3, ok=False)
    assert "node 4 joined" in script("add")
    assert set(script.pids()) == {1, 2, 4}
    text = (script.dir / "node-4" / "kiwi.conf").read_text()
    assert f"raft.join 127.0.0.1:{script.port},127.0.0.1:{script.port + 1}\n" in text
    assert "raft.peers" not in text and f"port {script.port + 3}\n" in text
    script("stop")
    script("wipe")
    assert not list(script.dir.glob("node-*"))


def test_rolling_restart_takes_the_leader_last_and_needs_everybody(script):
    script.start()
    before = script.pids()
    said = script("rolling-restart")
    assert re.findall(r"restarted node (\d)", said) == ["2", "3", "1"]
    after = script.pids()
    assert all(after[n] and after[n] != before[n] for n in (1, 2, 3))
    script("kill", 2)
    assert "node(s) 2 (stopped) do not serve" in script("rolling-restart", ok=False)
    assert script.pids() == {**after, 2: None}


def test_transfer_and_changes_need_a_leader(script):
    script.start()
    assert "node 1 leads already" in script("transfer", 1)
    script("pause", 1)
    for words in (["transfer", 2], ["add"], ["remove", 2], ["rolling-restart"]):
        assert "no node leads" in script(*words, ok=False)


def test_logs_show_what_a_node_said(script):
    assert "no cluster" in script("logs", 1, ok=False)
    script("start", "--port", script.port, ok=False, FAKE_DIE="1")
    assert "locked by pid 7" in script("logs", 1)
