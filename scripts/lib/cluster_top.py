"""scripts/cluster top: what every node does, once a second."""

import os
import sys
import time

import cluster_view
from cluster_view import number
from progress import part, size

PAUSE_SECONDS = 1.0
HEADING = ("node", "state", "ops/s", "clients", "cpu", "applied", "behind", "memory", "data", "disk free",
           "pressure", "address")


class Sample:
    """Counters of one node at one moment, to tell rates."""

    def __init__(self, node, clock=time.monotonic):
        self.at = clock()
        self.commands = number(node.info, "total_commands_processed")
        self.start = node.info.get("run_id")
        self.cpu = sum(float(node.info.get(name, 0)) for name in ("used_cpu_sys", "used_cpu_user"))

    def rates(self, before):
        """(commands a second, processor in percent of one core), or blanks after a start."""
        if before is None or before.start != self.start or self.at <= before.at:
            return "-", "-"
        seconds = self.at - before.at
        # The look at the node is a command, too.
        return (str(round(max(0, self.commands - before.commands - 1) / seconds)),
                f"{100 * (self.cpu - before.cpu) / seconds:.0f}%")


def state_of(node):
    if not node.info:
        return node.silent.split(":")[0]
    if node.info.get("raft_state") != "up":
        return node.info["raft_state"]
    role = node.info.get("raft_role", "-")
    return role if node.info.get("raft_is_voting") == "yes" else "learner"


def behind(node, leader):
    """Entries between the leader's commit and what the node applied."""
    if leader is None or not node.info:
        return "-"
    lag = number(leader.info, "raft_commit_index") - number(node.info, "raft_last_applied_index")
    return str(max(0, lag))


def row(node, leader, rates):
    info = node.info
    if not info:
        return [node.number or "-", state_of(node), *["-"] * 9, node.address]
    return [node.number, state_of(node), *rates[:1], info.get("connected_clients", "-"), rates[1],
            info.get("raft_last_applied_index", "-"), behind(node, leader),
            size(number(info, "used_memory_rss")), size(number(info, "keyspace_disk_bytes")),
            size(number(info, "disk_free_bytes")), f"{number(info, 'state_pressure') / 10:.0f}%",
            node.address]


def long_work(nodes):
    """A line for each thing that takes long: snapshots on their way, members that catch up, drains."""
    for node in nodes:
        text = node.info.get("raft_snapshot_receiving")
        if text:
            got = dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)
            yield (f"{node.name} gets the data from node {got['from']}: "
                   f"{part(int(got['bytes']), int(got['total']))}")
        if node.info.get("rdb_bgsave_in_progress", "0") != "0":
            yield f"{node.name} saves its state"
    leader = cluster_view.leader_of(nodes)
    for other, _, _, fields in leader.members() if leader else ():
        if int(fields.get("lag_entries", 0)) > 1000 and fields.get("progress") != "snapshot":
            yield (f"node {other} is {fields['lag_entries']} entries behind, "
                   f"{size(int(fields.get('lag_bytes', 0)))}, which it gets from the leader's "
                   f"{fields.get('catch_up')}")


def table(nodes, before):
    """The lines of one picture, and the samples for the next one."""
    leader = cluster_view.leader_of(nodes)
    samples = {id(node): Sample(node) for node in nodes if node.info}
    rows = [HEADING]
    for node in nodes:
        rates = samples[id(node)].rates(before.get(id(node))) if node.info else ()
        rows.append([str(cell) for cell in row(node, leader, rates)])
    widths = [max(len(line[i]) for line in rows) for i in range(len(HEADING))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in rows]
    if leader is None:
        lines.append("no node leads: nobody can write (scripts/cluster doctor)")
    return [*lines, *long_work(nodes)], samples


def top(cluster, options):
    """On a terminal until it is interrupted; elsewhere --count tables, one if that is not given."""
    nodes = cluster_view.nodes_of(cluster, options)
    terminal = sys.stdout.isatty()
    left = options.count or (None if terminal else 1)
    _, before = table([node.ask() for node in nodes], {})
    while left is None or left > 0:
        time.sleep(PAUSE_SECONDS)
        lines, before = table([node.ask() for node in nodes], before)
        if terminal:
            width = os.get_terminal_size().columns
            print("\x1b[H\x1b[J" + "\n".join(line[:width] for line in lines), flush=True)
        else:
            print("\n".join(lines), flush=True)
        left = None if left is None else left - 1
