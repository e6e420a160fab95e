"""Links between nodes are encrypted: what goes over the wire, who gets no link, and how secrets and
certificates change while clients write (SERVICES 6.2-6.6, F51). The proxies between the nodes stand
for whoever is on the path."""
from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from support.cluster import SECRET, wait_serving
from support.resp import RespError
from support.roaming import RoamingLoad, Roster
from support.waiting import wait_until

NEW_SECRET = "the-next-secret-of-this-cluster"


def links_of(node) -> list[str]:
    """Their lines of INFO raft."""
    return [value for name, value in node.info("raft").items()
            if name.startswith("raft_node") and ",state=" in value]


def encrypted_links(node) -> tuple[int, int]:
    """How many links of the node are up, and how many of those are encrypted."""
    up = [link for link in links_of(node) if "state=connected" in link]
    return len(up), sum("encrypted=yes" in link for link in up)


def wait_links(cluster, encrypted: int | None = None) -> None:
    others = len(cluster.alive()) - 1
    wanted = (others, others if encrypted is None else encrypted)
    wait_until(lambda: all(encrypted_links(n) == wanted for n in cluster.alive()), 20,
               f"{wanted} links, encrypted, on every node")


def conf(node, *words: str) -> None:
    with node.connect() as connection:
        assert connection.must("CONFIG", "SET", *words) == "OK"


def write_some(cluster, values: list[bytes], prefix: str) -> None:
    with cluster.wait_leader().connect() as connection:
        for i, value in enumerate(values):
            assert connection.must("SET", f"{prefix}:{i}", value) == "OK"


def test_no_value_is_seen_on_the_wire(make_cluster, seed):
    rng = random.Random(seed)
    values = [rng.randbytes(24).hex().encode() for _ in range(200)]
    for enabled, seen in (("yes", False), ("no", True)):
        cluster = make_cluster(3, proxies=True, start=False, options={"raft.tls-enabled": enabled})
        wire: list[bytes] = []
        cluster.proxies.tap = lambda source, target, data: wire.append(data) or data
        cluster.start()
        wait_links(cluster, None if enabled == "yes" else 0)
        write_some(cluster, values, "wire")
        with cluster.followers()[0].connect() as connection:  # forwarded, and a new copy of it all
            for i, value in enumerate(values):
                assert connection.must("SET", f"forwarded:{i}", value) == "OK"
        captured = b"".join(wire)
        assert len(captured) > len(b"".join(values))
        found = [value for value in values if value in captured]
        assert bool(found) == seen, (enabled, found[:3])  # the capture itself is seen to work
        assert SECRET.encode() not in captured
        cluster.close()


@pytest.mark.parametrize("attack", ["flip", "twice", "insert"])
def test_who_is_on_the_path_ends_a_link_and_nothing_else(make_cluster, seed, attack):
    rng = random.Random(seed)
    cluster = make_cluster(3, proxies=True)
    cluster.start()
    wait_links(cluster)
    pids = [node.pid for node in cluster.nodes]
    left = threading.Semaphore(0)  # so many attacks are to come

    def tap(source, target, data):
        if source == 0 or not left.acquire(blocking=False):
            return data
        if attack == "flip":
            at = rng.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]
        return data + (data if attack == "twice" else bytes(32))  # 32 zeros ended a bare CAF

    cluster.proxies.tap = tap
    for round_ in range(10):
        left.release()
        write_some(cluster, [b"v%d" % round_], "attacked")
        time.sleep(0.3)
    cluster.proxies.tap = None
    wait_links(cluster)
    assert [node.pid for node in cluster.nodes] == pids and all(n.alive() for n in cluster.nodes)
    sentences = sum(n.log_text().count("was not sent by that node, or was changed on its way")
                    for n in cluster.nodes)
    assert sentences > 0
    for node in cluster.nodes:
        with node.connect() as connection:
            assert connection.must("GET", "attacked:0") == b"v9"


def test_who_replays_a_whole_link_gets_no_second_one(make_cluster):
    cluster = make_cluster(3, proxies=True, start=False)
    recorded: dict[tuple[int, int], bytes] = {}

    def tap(source, target, data):
        recorded[source, target] = recorded.get((source, target), b"") + data
        return data

    cluster.proxies.tap = tap
    cluster.start()
    wait_links(cluster)
    write_some(cluster, [b"value"] * 20, "replayed")
    cluster.proxies.tap = None
    # What a dialer said begins with a hello; who dialled whom depends on who was up first.
    dialled, said = next((target, data) for (_, target), data in recorded.items()
                         if target != 0 and data.startswith(b"\x16\x03\x01"))
    victim = cluster.node(dialled)
    errors = victim.info("raft")["raft_link_refusals"]
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", victim.peer_port), timeout=5) as stranger:
            stranger.settimeout(5)
            try:
                stranger.sendall(said)
                while stranger.recv(65536):
                    pass
            except ConnectionError:
                pass
    wait_until(lambda: int(victim.info("raft")["raft_link_refusals"]) > int(errors), 10, "a refusal to be counted")
    assert all(node.alive() for node in cluster.nodes)
    wait_links(cluster)


@pytest.mark.parametrize("change, sentence", [
    ({"raft.cluster-secret": "another-secret-altogether"}, "names no key that is known here"),
    ({"raft.tls-enabled": "no"}, "it does not encrypt"),
])
def test_a_node_that_does_not_fit_is_kept_out_and_told(make_cluster, change, sentence):
    cluster = make_cluster(3)
    cluster.start()
    stranger = cluster.node(1)  # the lower id dials
    assert stranger.terminate() == 0
    kept = dict(stranger.options)
    stranger.options.update(change)
    stranger.start()
    others = [cluster.node(2), cluster.node(3)]
    wait_until(lambda: any(sentence in n.log_text() for n in others), 20, sentence)
    with cluster.wait_leader(among=others).connect() as connection:
        assert connection.must("SET", "without", "it") == "OK"
    if "raft.cluster-secret" in change:
        with stranger.connect() as connection:
            assert isinstance(connection.call("GET", "without"), RespError)
    stranger.terminate()
    stranger.options.clear()
    stranger.options.update(kept)
    stranger.start()
    cluster.wait_ready()
    wait_links(cluster)


# ---------------------------------------------------------------- changes under load

def under_load(cluster, seed, steps) -> None:
    load = RoamingLoad(Roster(cluster.nodes), seed).start("before")
    time.sleep(1)
    for what, step in steps:
        load.mark(what)
        step()
        time.sleep(0.5)
        wait_links(cluster)
        time.sleep(2.5)  # links are made anew one a second
        wait_links(cluster)
    load.stop()
    assert not load.errors(), load.errors()


def test_a_secret_is_changed_under_load_without_an_error(make_cluster, seed):
    cluster = make_cluster(3)
    cluster.start()
    wait_links(cluster)
    def everywhere(*words):
        for node in cluster.nodes:
            conf(node, *words)
            time.sleep(0.5)

    under_load(cluster, seed, [
        ("new one accepted", lambda: everywhere("raft.cluster-secret-also", NEW_SECRET)),
        ("swapped", lambda: everywhere("raft.cluster-secret", NEW_SECRET,
                                       "raft.cluster-secret-also", SECRET)),
        ("old one cleared", lambda: everywhere("raft.cluster-secret-also", "")),
    ])
    last = cluster.node(3)  # with the old secret it has no way back
    assert last.terminate() == 0
    others = [cluster.node(1), cluster.node(2)]
    refusals = sum(int(n.info("raft")["raft_link_refusals"]) for n in others)
    last.start()
    # It dials them after a while, and they dial it.
    wait_until(lambda: sum(int(n.info("raft")["raft_link_refusals"]) for n in others) > refusals, 20,
               "the old secret is refused")
    wait_until(lambda: all("id=3,state=disconnected" in " ".join(links_of(n)) for n in others), 10,
               "the links that were refused to be none")
    last.terminate()
    last.options["raft.cluster-secret"] = NEW_SECRET
    last.start()
    wait_serving(last, 20)


def test_encryption_is_switched_on_and_off_under_load(make_cluster, seed):
    """no, prefer, yes and back, node after node: two that are one step apart link."""
    cluster = make_cluster(3, options={"raft.tls-enabled": "no"})
    cluster.start()
    wait_links(cluster, 0)
    load = RoamingLoad(Roster(cluster.nodes), seed).start("no")
    for enabled in ("prefer", "yes", "prefer", "no"):
        load.mark(enabled)
        for node in cluster.nodes:
            conf(node, "raft.tls-enabled", enabled)
            time.sleep(3)
        wait_links(cluster, 0 if enabled == "no" else None)
    load.stop()
    assert not load.errors(), load.errors()


# ---------------------------------------------------------------- certificates

class Authority:
    """Signs certificates of nodes, with the program openssl."""

    def __init__(self, folder, name):
        self.folder, self.name = str(folder), name
        os.makedirs(self.folder, exist_ok=True)
        self.ca = f"{self.folder}/{name}.crt"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2",
                      "-subj", f"/CN={name}")

    def _openssl(self, *words) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def sign(self, file: str, node: int, days: int = 1) -> dict[str, str]:
        with open(f"{self.folder}/{file}.ext", "w") as extensions:
            extensions.write(f"subjectAltName=IP:127.0.0.1,DNS:localhost,URI:kiwi:node:{node}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", f"{file}.key", "-out", f"{file}.csr", "-subj", f"/CN=node {node}")
        self._openssl("x509", "-req", "-in", f"{file}.csr", "-CA", f"{self.name}.crt", "-CAkey",
                      f"{self.name}.key", "-CAcreateserial", "-days", str(days), "-extfile",
                      f"{file}.ext", "-out", f"{file}.crt")
        return {"raft.tls-cert-file": f"{self.folder}/{file}.crt",
                "raft.tls-key-file": f"{self.folder}/{file}.key",
                "raft.tls-ca-cert-file": self.ca}


def test_certificates_are_replaced_under_load_and_wrong_ones_kept_out(make_cluster, tmp_path, seed):
    authority = Authority(tmp_path / "good", "authority")
    cluster = make_cluster(3, start=False)
    for node in cluster.nodes:
        node.options.update(authority.sign(f"node-{node.id}", node.id))
    cluster.start()
    wait_links(cluster)

    def replace():
        for node in cluster.nodes:
            files = authority.sign(f"node-{node.id}", node.id)
            conf(node, "raft.tls-cert-file", files["raft.tls-cert-file"])
            time.sleep(0.5)

    under_load(cluster, seed, [("certificates replaced", replace)])
    victim = cluster.node(1)
    kept = dict(victim.options)
    stranger = Authority(tmp_path / "other", "stranger").sign("node-1", 1)
    for wrong, sentence in [
            ({**stranger, "raft.tls-ca-cert-file": authority.ca}, "certificate is refused"),
            (authority.sign("over", 1, days=0), "expired"),
            (authority.sign("of-three", 3), "another node's")]:
        assert victim.terminate() == 0
        victim.options.update(wrong)
        victim.start()
        others = [cluster.node(2), cluster.node(3)]
        wait_until(lambda: any(sentence in n.log_text() for n in cluster.nodes), 20, sentence)
        with cluster.wait_leader(among=others).connect() as connection:
            assert connection.must("SET", "without", "it") == "OK"
        wait_until(lambda: victim.info("server"), 20, "the node to answer clients")  # and to heed signals
        victim.options.update(kept)
    victim.terminate()
    victim.start()
    cluster.wait_ready()
    wait_links(cluster)


def test_sighup_leaves_links_alone_unless_a_file_was_replaced(make_cluster, tmp_path):
    authority = Authority(tmp_path, "authority")
    cluster = make_cluster(3, start=False)
    for node in cluster.nodes:
        node.options.update(authority.sign(f"node-{node.id}", node.id))
    cluster.start()
    wait_links(cluster)
    node = cluster.node(2)

    def hang_up(times: int) -> None:
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: node.log_text().count("SIGHUP: the log file was opened anew") == times, 10,
                   "the signal is heard")

    hang_up(1)
    time.sleep(3)  # links are made anew one a second
    assert node.log_text().count("is made anew: what protects it") == 0
    authority.sign("node-2", 2)  # the same paths
    hang_up(2)
    wait_until(lambda: node.log_text().count("is made anew: what protects it") == 2, 10, "both links are made anew")
    wait_links(cluster)


def test_config_set_of_a_file_that_is_none_changes_nothing(make_cluster):
    cluster = make_cluster(3)
    cluster.start()
    node = cluster.node(1)
    for words in (("raft.tls-cert-file", "/nowhere.crt", "raft.tls-ca-cert-file", "/nowhere.crt"),
                  ("raft.cluster-secret", ""), ("raft.tls-enabled", "maybe")):
        assert isinstance(node.call("CONFIG", "SET", *words), RespError)
    assert node.call("CONFIG", "GET", "raft.tls-cert-file")[1] == b""
    wait_links(cluster)
