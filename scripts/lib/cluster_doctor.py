"""scripts/cluster doctor: looks at every node, and says what is wrong and what to do about it.

A check takes the nodes (cluster_view.Seen, asked with their options) and yields findings. It knows no socket and
no clock, so tests give it nodes that never were.
"""

import time

import cluster_view
from cluster_view import number
from progress import size

CLOCKS_MS = 500  # more than what a leader's guess of another clock is off by
SLOW_SYNC_US = 100_000
CERTIFICATE_DAYS = 30
SMALL_DISK_BYTES = 1 << 30
FULL_SHARE = 0.9
# What each node has of its own.
OWN_OPTIONS = {"port", "tls-port", "bind", "dir", "logfile", "audit-log", "backup-dir", "aclfile", "raft.id",
               "raft.addr", "raft.tls-addr", "raft.join", "raft.peers", "raft.peer-port", "http-port",
               "http-bind", "http-hosts", "cluster-client-port", "sentinel-port", "tls-cert-file",
               "tls-key-file", "raft.tls-cert-file", "raft.tls-key-file", "skip-entry", "pidfile"}


class Finding:
    """Something that is wrong. Bad: clients feel it, or data is in danger; else it will be one day."""

    def __init__(self, bad, what, cure):
        self.bad, self.what, self.cure = bad, what, cure

    def lines(self):
        return [f"{'BAD ' if self.bad else 'warn'}  {self.what}", f"      do: {self.cure}"]


def answering(nodes):
    return [node for node in nodes if node.info]


def silence(nodes):
    for node in nodes:
        if not node.info:
            cure = "scripts/cluster resume" if node.silent == "paused" else "start it; its log's last line says " \
                "why it ended"
            if node.silent.startswith("refuses"):
                cure = "give a user that may: --password, or KIWI_PASSWORD"
            yield Finding(True, f"{node.name} ({node.address}): {node.silent}", cure)
        elif node.info.get("raft_state") == "removed":
            yield Finding(True, f"{node.name} was removed from its cluster and still runs",
                          "stop it; an empty node with a new raft.id may take its place")
        elif node.info.get("raft_state") != "up":
            yield Finding(True, f"{node.name} does not serve: {node.info.get('raft_state')}",
                          "wait if it starts or catches up (scripts/cluster top); else read its log")


def leadership(nodes):
    up = answering(nodes)
    leader = cluster_view.leader_of(up)
    if leader is None and up:
        yield Finding(True, "no node leads: nobody can write",
                      "bring a majority of the voters back (docs/lost-majority.md)")
    for node in up:
        follows = number(node.info, "raft_leader_id", -1)
        if leader is not None and follows != leader.number and node.info.get("raft_state") == "up":
            yield Finding(True, f"{node.name} follows {'nobody' if follows < 0 else f'node {follows}'}, and "
                          f"{leader.name} leads", "look at the links between them: peer ports, secret, firewall")
    voters = max((number(node.info, "raft_num_voting_nodes") for node in up), default=0)
    if voters and voters % 2 == 0:
        yield Finding(False, f"{voters} voters survive no more failures than {voters - 1} would",
                      "add a node, or remove one")
    # The nodes of other clusters have another id.
    ids = {node.info.get("raft_dbid") for node in up} - {"", None}
    if len(ids) > 1:
        yield Finding(True, f"the nodes belong to {len(ids)} clusters", "stop those that founded a second one; "
                      "give them raft.join and an empty dir")


def links(nodes):
    silent = {node.number for node in nodes if not node.info}  # that is told already
    plain = set()
    for node in answering(nodes):
        for other, _, _, fields in node.members():
            if other in silent:
                continue
            if fields.get("state") == "disconnected":
                yield Finding(True, f"{node.name} has no link to node {other}",
                              f"if node {other} runs: is its peer port reachable, and the secret the same?")
            elif fields.get("encrypted") == "no":
                plain.add(tuple(sorted((node.number, other))))
    if plain:
        told = ", ".join(f"{one}-{two}" for one, two in sorted(plain))
        yield Finding(False, f"links between nodes are not encrypted: {told}",
                      "set raft.cluster-secret and raft.tls-enabled yes on all nodes (docs/certificates.md)")


def clocks(nodes):
    leader = cluster_view.leader_of(nodes)
    for other, _, _, fields in leader.members() if leader else ():
        ahead = int(fields.get("clock_ahead_ms", 0))
        if abs(ahead) > CLOCKS_MS:
            yield Finding(False, f"the clock of node {other} is {abs(ahead) / 1000:.1f} s "
                          f"{'ahead of' if ahead > 0 else 'behind'} the leader's",
                          "run NTP (chrony) on all nodes: keys expire by the leader's clock")


def disks(nodes):
    for node in answering(nodes):
        info = node.info
        free, owed = number(info, "disk_free_bytes"), number(info, "disk_owed_bytes")
        if number(info, "disk_full"):
            yield Finding(True, f"the disk of {node.name} is full: it refuses writes",
                          "make room on the disk of dir; it goes on by itself")
        elif free < owed + SMALL_DISK_BYTES:
            yield Finding(False, f"{node.name} has {size(free)} free and owes {size(owed)}",
                          "make room, or move dir to a larger disk (docs/replace-a-node.md)")
        syncs = number(info, "raft_fsync_avg_microseconds")
        if syncs > SLOW_SYNC_US:
            yield Finding(False, f"a log sync of {node.name} takes {syncs / 1000:.0f} ms on average",
                          "a faster disk for dir, or less beside it; each write waits for a majority's")
        if info.get("rdb_last_bgsave_status") == "err":
            yield Finding(True, f"{node.name} could not save its state", "its log says why")


def memory(nodes):
    for node in answering(nodes):
        info = node.info
        if number(info, "used_memory_rss") > FULL_SHARE * number(info, "total_system_memory", 1 << 62):
            yield Finding(True, f"{node.name} uses {size(number(info, 'used_memory_rss'))} of "
                          f"{size(number(info, 'total_system_memory'))}",
                          "smaller cache-state, cache-blocks or maxmemory-clients (docs/sizing.md)")
        if number(info, "connected_clients") > FULL_SHARE * number(info, "maxclients", 1 << 62):
            yield Finding(False, f"{node.name} has {info['connected_clients']} of {info['maxclients']} clients",
                          "let clients pool connections, or raise maxclients and ulimit -n")
        if number(info, "state_pressure") > 800:
            yield Finding(False, f"the state of {node.name} lags behind its files: writers are slowed down",
                          "write less, or a faster disk")


def options_that_differ(nodes):
    asked = [node for node in answering(nodes) if node.options]
    names = sorted(set().union(*(node.options for node in asked)) - OWN_OPTIONS) if asked else []
    for name in names:
        values = {}
        for node in asked:
            values.setdefault(node.options.get(name, "(unknown there)"), []).append(str(node.number))
        if len(values) > 1:
            told = "; ".join(f"{value or '(empty)'} on {', '.join(who)}" for value, who in values.items())
            yield Finding(False, f"{name} differs: {told}",
                          "the same on all nodes, by CONFIG SET or in their files, unless it is meant")
    for node in asked:
        if node.options.get("raft.log-fsync") == "no":
            yield Finding(True, f"{node.name} does not wait for its disk: a loss of power may lose writes",
                          "raft.log-fsync yes, and a restart")


def versions(nodes):
    up = answering(nodes)
    for name, what, cure in (("kiwi_version", "builds", "finish the upgrade (docs/upgrade.md)"),
                             ("raft_cluster_version", "cluster versions",
                              "wait a moment: a node that is behind learns of it with the log")):
        values = {}
        for node in up:
            values.setdefault(node.info.get(name, "-"), []).append(str(node.number))
        if len(values) > 1:
            told = ", ".join(f"{value} on {'+'.join(who)}" for value, who in sorted(values.items()))
            yield Finding(False, f"the nodes are of different {what}: {told}", cure)
    for node in up:
        if node.info.get("raft_skipped_entry", "none") != "none":
            yield Finding(False, f"{node.name} skips entry {node.info['raft_skipped_entry']}",
                          "all nodes must; then take the option away (docs/troubleshooting.md)")


def certificates(nodes, now=None):
    now = time.time() if now is None else now
    for node in answering(nodes):
        expires = number(node.info, "tls_certificate_expires_at")
        days = (expires - now) / 86400
        if expires and days < CERTIFICATE_DAYS:
            when = f"expires in {days:.0f} days" if days > 0 else f"expired {-days:.0f} days ago"
            yield Finding(days <= 0, f"the certificate of {node.name} {when}",
                          "new files at the same paths, then SIGHUP (docs/certificates.md)")


def states(nodes):
    """Nodes that applied the same entry have the same state."""
    seen = {}
    for node in answering(nodes):
        index, checksum = (node.info.get(name) for name in ("raft_last_applied_index", "raft_state_checksum"))
        other = seen.setdefault(index, (node, checksum))
        if checksum is not None and other[1] != checksum:
            yield Finding(True, f"{other[0].name} and {node.name} differ in what they hold at entry {index}",
                          "save both data directories and report it; then refill the one that the others do "
                          "not agree with (docs/replace-a-node.md)")


CHECKS = (silence, leadership, links, clocks, disks, memory, options_that_differ, versions, certificates, states)
LOOKED_AT = ("members, leader, links, clocks, disks, memory, options, versions, certificates, states")


def findings(nodes):
    found = [finding for check in CHECKS for finding in check(nodes)]
    return sorted(found, key=lambda finding: not finding.bad)


def doctor(cluster, options):
    """True if nothing is wrong."""
    nodes = [node.ask(options=True) for node in cluster_view.nodes_of(cluster, options)]
    if any(states(nodes)):  # two looks that differ are no accident of one
        time.sleep(1)
        for node in nodes:
            node.ask(options=True)
    found = findings(nodes)
    for finding in found:
        print("\n".join(finding.lines()))
    bad = sum(finding.bad for finding in found)
    print(f"doctor: {len(nodes)} nodes, {bad} bad, {len(found) - bad} warnings; looked at: {LOOKED_AT}")
    return not found
