"""How clusters form, refuse to form, start and stop [F1, F2]."""
from __future__ import annotations

import re
import shutil
import socket

import pytest

from support.cluster import SECRET, Cluster, wait_serving
from support.ports import PEER_OFFSET, free_port
from support.processes import run_server
from support.resp import RespError
from support.waiting import wait_until


@pytest.mark.parametrize("order,starts", [
    ([[1, 2, 3], [1, 2, 3], [1, 2, 3]], [1, 2, 3]),
    ([[3, 1, 2], [2, 3, 1], [1, 3, 2]], [3, 2, 1]),
])
def test_a_cluster_forms_from_any_order_of_peers_and_starts(make_cluster, order, starts):
    cluster = make_cluster(3, peer_order=order, start=False)
    for node_id in starts:
        cluster.node(node_id).start()
    cluster.wait_ready()
    for node in cluster.nodes:
        info = node.info("raft")
        assert info["raft_state"] == "up", info
        assert int(info["raft_node_id"]) == node.id
        assert int(info["raft_num_nodes"]) == 3
        assert int(info["raft_num_voting_nodes"]) == 3
    assert cluster.node(1).call("SET", "k", "v") == "OK"
    assert [node.call("GET", "k") for node in cluster.nodes] == [b"v"] * 3


def test_two_of_three_listed_nodes_do_not_form_a_cluster_until_the_third_comes(make_cluster):
    """[F2]: the first entry names all incarnations, so all must have answered."""
    cluster = make_cluster(3, start=False, options={"raft.response-timeout": 1500})
    cluster.node(1).start()
    cluster.node(2).start()
    wait_until(lambda: cluster.node(1).info("raft") and cluster.node(2).info("raft"), 10, "INFO")
    reply = cluster.node(1).call("SET", "k", "v")
    assert isinstance(reply, RespError) and reply.code in ("NOCLUSTER", "CLUSTERDOWN"), reply
    assert cluster.leader() is None
    cluster.node(3).start()
    cluster.wait_ready()
    assert cluster.node(3).call("SET", "k", "v") == "OK"


def test_nodes_with_different_lists_do_not_form_a_cluster(make_cluster):
    """[F2]: {1,2} on one, {1,2,3} on the other."""
    cluster = make_cluster(3, start=False, options={"raft.response-timeout": 1500})
    cluster.node(1).options["raft.peers"] = ",".join(cluster.peer_entry(i) for i in (1, 2))
    cluster.node(1).start()
    cluster.node(2).start()
    cluster.node(3).start()
    wait_until(lambda: all(n.info("raft") for n in cluster.nodes), 10, "INFO from all")
    for node in cluster.nodes:
        reply = node.call("SET", "k", "v")
        assert isinstance(reply, RespError), f"node {node.id} wrote without a common list"


def test_a_node_without_peers_is_at_once_a_cluster_of_one(single):
    info = single.node(1).info("raft")
    assert (info["raft_role"], info["raft_num_nodes"]) == ("leader", "1")
    assert single.node(1).call("SET", "k", "v") == "OK"
    assert single.node(1).call("GET", "k") == b"v"
    assert "cluster_enabled:0" in single.node(1).call("INFO").decode()


def test_manual_bootstrap_waits_for_raft_cluster_init(make_cluster):
    cluster = make_cluster(1, peers=False, start=False, options={"raft.bootstrap": "manual"})
    node = cluster.node(1).start()
    wait_until(lambda: node.info("raft"), 10, "INFO")
    assert node.call("PING") == "PONG"
    for command in (("GET", "k"), ("SET", "k", "v")):
        assert node.call(*command) == RespError("NOCLUSTER No Raft Cluster")
    assert node.info("raft")["raft_state"] == "uninitialized"
    reply = node.call("RAFT.CLUSTER", "INIT")
    assert re.fullmatch(r"OK [0-9a-f]{32}", str(reply)), reply
    wait_serving(node)
    assert node.call("RAFT.CLUSTER", "INIT") == RespError("ERR Already cluster member")
    node.kill()
    node.start()
    wait_serving(node)


def test_a_restarted_node_keeps_data_term_and_identity(make_cluster):
    cluster = make_cluster(1, peers=False)
    node = cluster.node(1)
    node.call("SET", "k", "v")
    before = node.info("raft")
    assert node.terminate() == 0, node.log_text()[-2000:]
    node.start()
    wait_serving(node)
    after = node.info("raft")
    assert node.call("GET", "k") == b"v"
    assert int(after["raft_current_term"]) >= int(before["raft_current_term"])
    assert after["raft_dbid"] == before["raft_dbid"]


def test_sigterm_hands_leadership_over_and_exits_with_0(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    others = [n for n in cluster.nodes if n is not leader]
    assert others[0].call("SET", "k", "v") == "OK"
    assert leader.terminate() == 0
    assert others[0].call("SET", "k", "v2") == "OK"
    assert others[1].call("GET", "k") == b"v2"


# ---------------------------------------------------------------- refusals at start

REFUSED = 78  # another start would be refused, too: systemd does not try
NOT_NOW = 1


def one_sentence(code, output: str, *words: str, status: int = REFUSED) -> None:
    """One clear sentence that names what matters, and whether a restart may help."""
    assert code == status, (code, output)
    lines = [line for line in output.splitlines() if line.strip()]
    assert lines and len(lines[-1]) > 20, output
    assert any(all(word.lower() in line.lower() for word in words) for line in lines), output
    for scar in ("terminate called", "Aborted", "core dumped", "what():"):
        assert scar not in output, output


def start_args(directory, port, **options):
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--http-port", "0"]
    for name, value in options.items():
        words += [f"--{name.replace('__', '.').replace('_', '-')}", str(value)]
    return words


def test_an_unknown_option_is_refused_by_name(tmp_path):
    one_sentence(*run_server(*start_args(tmp_path, free_port()), "--no-such-option", "1"),
                 "no-such-option")


@pytest.mark.parametrize("option,value", [
    ("port", "70000"), ("raft.peers", "nonsense"), ("raft.election-timeout", "-5"),
    ("raft.log-fsync", "perhaps"), ("databases", "0"), ("loglevel", "shout"),
    ("raft.response-timeout", "400")])
def test_a_bad_value_is_refused_and_names_its_option(tmp_path, option, value):
    one_sentence(*run_server(*start_args(tmp_path, free_port()), f"--{option}", value), option)


def test_a_client_port_in_use_is_refused(tmp_path):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        one_sentence(*run_server(*start_args(tmp_path, port)), str(port), status=NOT_NOW)


def test_a_peer_port_in_use_is_refused(tmp_path):
    port = free_port()
    with socket.create_server(("127.0.0.1", port + PEER_OFFSET)):
        entry = f"1@127.0.0.1:{port},2@127.0.0.1:{free_port()}"
        one_sentence(*run_server(*start_args(tmp_path, port, raft__id=1, raft__peers=entry)),
                     str(port + PEER_OFFSET), status=NOT_NOW)


def test_a_locked_data_directory_is_refused(single):
    one_sentence(*run_server(*start_args(single.node(1).dir, free_port(), raft__id=1)),
                 str(single.node(1).dir))


def test_the_data_directory_of_another_node_is_refused(make_cluster):
    cluster = make_cluster(3)
    cluster.node(2).kill()
    cluster.node(3).kill()
    shutil.rmtree(cluster.node(2).dir)
    shutil.copytree(cluster.node(3).dir, cluster.node(2).dir)
    code, output = run_server(*cluster.node(2).argv()[1:])
    one_sentence(code, output, "node")


def test_the_data_directory_of_another_cluster_is_refused_by_its_peers(make_cluster):
    """Same ids, same secret, same addresses even, but another history: it must not mix."""
    ours = make_cluster(3)
    ours.node(1).call("SET", "whose", "ours")
    foreign = make_cluster(1, peers=False)
    foreign.node(1).call("SET", "whose", "foreign")
    foreign.node(1).terminate()
    ours.node(1).kill()
    shutil.rmtree(ours.node(1).dir)
    shutil.copytree(foreign.node(1).dir, ours.node(1).dir)
    code, output = run_server(*ours.node(1).argv()[1:], timeout=5)
    if code is not None:  # refused at start
        one_sentence(code, output, "cluster")
    ours.wait_leader(among=[ours.node(2), ours.node(3)])
    for node in (ours.node(2), ours.node(3)):
        assert node.call("GET", "whose") == b"ours"
    assert ours.node(2).call("SET", "still", "fine") == "OK"


def test_a_node_with_the_wrong_secret_is_kept_out(make_cluster):
    cluster = make_cluster(3)
    victim = cluster.followers()[0]
    victim.kill()
    victim.options["raft.cluster-secret"] = "another-secret"
    victim.options["raft.response-timeout"] = "1500"
    victim.start()
    wait_until(lambda: victim.info("raft"), 10, "INFO of the stranger")
    reply = victim.call("SET", "k", "from-a-stranger")
    assert isinstance(reply, RespError), "a node without the secret wrote to the cluster"
    others = [n for n in cluster.nodes if n is not victim]
    assert others[0].call("SET", "k", "v") == "OK"
    assert others[1].call("GET", "k") == b"v"
    refusals = sum(int(n.info("raft").get("raft_link_refusals", 0)) for n in cluster.nodes)
    assert refusals > 0 or any("secret" in n.log_text() for n in others)
    victim.kill()
    victim.options["raft.cluster-secret"] = SECRET
    victim.start()
    wait_serving(victim)
    assert victim.call("GET", "k") == b"v"


def test_a_config_file_and_options_are_read_and_options_win(tmp_path):
    with Cluster(1, peers=False) as cluster:
        node = cluster.node(1)
        config = tmp_path / "kiwi.conf"
        config.write_text(f"# a comment\nport {free_port()}\nrequirepass \"from file\"\n"
                          "raft.heartbeat-interval 70\n")
        argv = node.argv()
        node.argv = lambda: [argv[0], str(config), *argv[1:]]
        node.start()
        wait_until(lambda: node.call("PING") == RespError("NOAUTH Authentication required."), 10,
                   "the node on the port of the option")
        with node_connection(node, "from file") as connection:
            assert connection.must("CONFIG", "GET", "raft.heartbeat-interval") == [
                b"raft.heartbeat-interval", b"70"]


def node_connection(node, password):
    connection = node.connect()
    connection.must("AUTH", password)
    return connection


@pytest.mark.parametrize("bind", ["0.0.0.0", "*", "::", "127.0.0.1 ::"])
def test_a_public_bind_without_a_secret_is_refused(tmp_path, bind):
    """[F51]: one sentence says why and what to do; with the secret, or told so, it starts."""
    port = free_port()
    words = ["--port", str(port), "--bind", *bind.split(), "--dir", str(tmp_path)]
    code, output = run_server(*words, timeout=5)
    assert code == REFUSED, (code, output)
    sentence = [line for line in output.splitlines() if line.startswith("kiwi-server: ")]
    assert len(sentence) == 1 and "raft.cluster-secret" in sentence[0], output
    assert not list(tmp_path.iterdir()), "a refused start leaves no data directory"
    for allowed in (["--raft.cluster-secret", "known to all"],
                    ["--raft.allow-empty-secret", "yes", "--requirepass", "x"]):
        code, output = run_server(*words, *allowed, timeout=1.5)
        assert code is None, output
        assert ("requirepass is empty" in output) == ("--requirepass" not in allowed), output
