"""scripts/cluster doctor, top and console: each check on nodes that never were, the table, progress, and all
three with a stand-in for the server."""
import io

import cluster_doctor
import cluster_top
import pytest
from cluster_view import Seen
from progress import Progress, part, size
from test_cluster_command import script  # noqa: F401  (a fixture)


def told(number, leader=1, peers=(1, 2, 3), ahead=None, **changes):
    """INFO of a healthy node, but for the changes."""
    info = {"raft_state": "up", "raft_role": "leader" if number == leader else "follower",
            "raft_node_id": str(number), "raft_leader_id": str(leader), "raft_current_term": "2",
            "raft_is_voting": "yes", "raft_num_voting_nodes": str(len(peers)), "raft_dbid": "c",
            "raft_commit_index": "9", "raft_last_applied_index": "9", "raft_state_checksum": "5",
            "raft_cluster_version": "1", "raft_skipped_entry": "none", "kiwi_version": "0.1.0",
            "disk_free_bytes": str(50 << 30), "disk_owed_bytes": "0", "disk_full": "0",
            "raft_fsync_avg_microseconds": "900", "rdb_last_bgsave_status": "ok", "used_memory_rss": "100",
            "total_system_memory": "1000", "connected_clients": "1", "maxclients": "100",
            "state_pressure": "0", "keyspace_disk_bytes": "0", "total_commands_processed": "10",
            "used_cpu_sys": "1.0", "used_cpu_user": "1.0", "run_id": "a"}
    for place, peer in enumerate(peers):
        if peer != number:
            clock = f",clock_ahead_ms={ahead}" if ahead is not None and number == leader else ""
            info[f"raft_node{place}"] = (f"id={peer},state=connected,voting=yes,addr=h{peer},port=1,encrypted=yes,"
                                         f"lag_entries=0,lag_bytes=0,progress=replicate{clock}")
    return info | changes


def node(number, options=None, **changes):
    seen = Seen(f"h{number}", 6379, number)
    seen.info, seen.silent = told(number, **changes), ""
    seen.options = {"timeout": "0", "raft.log-fsync": "yes", **(options or {})}
    return seen


def silent(number, why):
    seen = Seen(f"h{number}", 6379, number)
    seen.silent = why
    return seen


def said(*nodes):
    return "\n".join(line for finding in cluster_doctor.findings(nodes) for line in finding.lines())


def three(**of_node_2):
    return node(1), node(2, **of_node_2), node(3)


def test_a_healthy_cluster_has_nothing():
    assert said(*three()) == ""


@pytest.mark.parametrize("changes, words", [
    ({"raft_state": "loading"}, "node 2 does not serve: loading"),
    ({"raft_state": "removed"}, "node 2 was removed"),
    ({"raft_leader_id": "3"}, "node 2 follows node 3, and node 1 leads"),
    ({"raft_leader_id": "-1"}, "node 2 follows nobody"),
    ({"raft_dbid": "d"}, "belong to 2 clusters"),
    ({"disk_full": "1"}, "the disk of node 2 is full"),
    ({"disk_free_bytes": str(100 << 20)}, "node 2 has 100.0 MiB free"),
    ({"disk_owed_bytes": str(50 << 30)}, "node 2 has 50.0 GiB free and owes 50.0 GiB"),
    ({"raft_fsync_avg_microseconds": "150000"}, "a log sync of node 2 takes 150 ms"),
    ({"rdb_last_bgsave_status": "err"}, "node 2 could not save"),
    ({"used_memory_rss": "950"}, "node 2 uses 950 B of 1000 B"),
    ({"connected_clients": "91"}, "node 2 has 91 of 100 clients"),
    ({"state_pressure": "801"}, "the state of node 2 lags"),
    ({"kiwi_version": "0.2.0"}, "different builds: 0.1.0 on 1+3, 0.2.0 on 2"),
    ({"raft_cluster_version": "2"}, "different cluster versions"),
    ({"raft_skipped_entry": "4:c"}, "node 2 skips entry 4:c"),
    ({"raft_state_checksum": "6"}, "node 1 and node 2 differ in what they hold at entry 9"),
    ({"options": {"timeout": "5"}}, "timeout differs: 0 on 1, 3; 5 on 2"),
    ({"options": {"raft.log-fsync": "no"}}, "node 2 does not wait for its disk"),
])
def test_what_is_wrong_is_said_with_its_cure(changes, words):
    lines = said(*three(**changes)).splitlines()
    assert words in lines[0], lines
    assert lines[1].startswith("      do: ") and len(lines[1]) > 15


def test_what_each_node_has_of_its_own_may_differ():
    assert said(*three(options={"dir": "/elsewhere", "raft.id": "2"})) == ""
    ahead = three(raft_last_applied_index="10", raft_state_checksum="6")
    assert said(*ahead) == ""  # another entry, another state


def test_who_is_silent_is_said_once():
    nodes = [node(1), node(2), silent(3, "stopped")]
    nodes[0].info["raft_node2"] = nodes[0].info["raft_node2"].replace("connected", "disconnected")
    assert said(*nodes).count("node 3") == 1 and "node 3 (h3:6379): stopped" in said(*nodes)
    nodes[2] = node(3)
    assert "node 1 has no link to node 3" in said(*nodes)


def test_no_leader_and_an_even_number_of_voters():
    lost = [node(2, raft_leader_id="-1"), silent(1, "stopped")]
    assert "no node leads" in said(*lost)
    four = [node(n, peers=(1, 2, 3, 4)) for n in (1, 2, 3, 4)]
    assert "4 voters survive no more failures than 3 would" in said(*four)


def test_clocks_and_plain_links():
    assert "the clock of node 2 is 2.0 s ahead of the leader's" in said(node(1, ahead=2000), node(2), node(3))
    assert "is 2.0 s behind" in said(node(1, ahead=-2000), node(2), node(3))
    assert said(node(1, ahead=400), node(2), node(3)) == ""
    plain = three()
    plain[1].info["raft_node0"] = plain[1].info["raft_node0"].replace("encrypted=yes", "encrypted=no")
    assert "links between nodes are not encrypted: 1-2\n" in said(*plain)


def test_certificates_warn_before_they_expire():
    day = 86400
    soon = [node(1, tls_certificate_expires_at=str(100 * day))]

    def at(days):
        return [finding.what for finding in cluster_doctor.certificates(soon, now=days * day)]
    assert at(60) == [] and at(95) == ["the certificate of node 1 expires in 5 days"]
    assert at(101) == ["the certificate of node 1 expired 1 days ago"]


def test_bad_things_come_first():
    found = cluster_doctor.findings(three(disk_full="1", kiwi_version="2"))
    assert [finding.bad for finding in found] == sorted((f.bad for f in found), reverse=True)


def test_the_table_tells_rates_lag_and_long_work():
    clock = [100.0]
    nodes = list(three())
    _, before = cluster_top.table(nodes, {})
    for sample in before.values():
        sample.at = clock[0]
    nodes[0].info |= {"total_commands_processed": "211", "used_cpu_user": "2.0", "raft_commit_index": "19"}
    nodes[1].info["raft_snapshot_receiving"] = "from=1,idx=9,mode=files,bytes=1048576,total=4194304"
    nodes[2].info, nodes[2].silent = {}, "no answer: refused"
    after = cluster_top.Sample(nodes[0], clock=lambda: 102.0)
    assert after.rates(before[id(nodes[0])]) == ("100", "50%")
    assert after.rates(None) == ("-", "-")
    lines, _ = cluster_top.table(nodes, before)
    assert lines[1].split()[:2] == ["1", "leader"] and lines[2].split()[6] == "10"
    assert lines[3].split()[:3] == ["3", "no", "answer"]
    assert lines[-1] == "node 2 gets the data from node 1: 1.0 MiB of 4.0 MiB, 25 %"


def test_a_restart_begins_rates_anew():
    seen = node(1)
    before = cluster_top.Sample(seen, clock=lambda: 1.0)
    seen.info["run_id"] = "b"
    assert cluster_top.Sample(seen, clock=lambda: 2.0).rates(before) == ("-", "-")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("out, wanted", [
    (io.StringIO(), ["x: 1 (1 s)", "x: 6 (6 s)"]), (Terminal(), [])])
def test_progress_is_silent_at_first_and_then_rare(out, wanted):
    now = [0.0]
    progress = Progress("x", out, clock=lambda: now[0])
    for second in range(9):
        now[0] = float(second)
        progress.tell(str(second))
    progress.close()
    if wanted:
        assert out.getvalue().splitlines() == wanted
    else:
        shown = out.getvalue()
        assert shown.count("\r") >= 9 and "\n" not in shown and shown.rstrip(" \r").endswith("x: 8 (8 s)")


def test_sizes():
    assert [size(n) for n in (0, 1023, 1024, 3 << 20, 5 << 30)] == \
        ["0 B", "1023 B", "1.0 KiB", "3.0 MiB", "5.0 GiB"]
    assert part(5, 0) == "5 B" and part(5, 20) == "5 B of 20 B, 25 %" and part(30, 20).endswith("100 %")


def test_all_three_on_a_cluster_of_stand_ins(script):  # noqa: F811
    for command in ("top", "doctor", "console"):
        assert "there is no cluster" in script(command, ok=False)
    script.start()
    assert script("top").count("127.0.0.1:") == 3
    assert script("top", "--count", 2).count("leader") == 2
    assert "no HTTP port" in script("console", ok=False)
    script("kill", 2)
    said = script("doctor", ok=False)
    assert "node 2 (127.0.0.1" in said and "stopped" in said and "do: start it" in said
    assert "should look like host:port" in script("top", "--at", "nowhere", ok=False)
