"""What the nodes of a cluster say of themselves, for scripts/cluster top, doctor and console: of the
cluster on this machine, or of any other whose client ports can be reached (--at)."""

import os
import resp
from cluster_model import Failure

ASK_SECONDS = 2.0


class Seen:
    """One node: where it is, and what it said when it was asked last. `info` is {} if it said nothing, and
    `silent` says why."""

    def __init__(self, host, port, number=None, local=None, password=None):
        self.host, self.port, self.number, self.local = host, port, number, local
        self.password = password
        self.info, self.options, self.silent = {}, {}, "not asked"

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def name(self):
        return f"node {self.number}" if self.number is not None else self.address

    def connect(self):
        return resp.Client(self.host, self.port, ASK_SECONDS, self.password)

    def ask(self, options=False):
        """Fills info, and options if they are wanted."""
        self.info, self.options = {}, {}
        if self.local and not self.local.is_awake():
            self.silent = self.local.why_silent()
            return self
        try:
            with self.connect() as client:
                info = client.info("everything")
                if "raft_state" not in info:
                    self.silent = "no Kiwi node"
                    return self
                if options:
                    words = [word.decode() for word in client.call("CONFIG", "GET", "*")]
                    self.options = dict(zip(words[::2], words[1::2]))
                self.info, self.silent = info, ""
                self.number = number(info, "raft_node_id", self.number)
        except resp.ServerError as error:
            self.silent = f"refuses: {error}"
        except OSError as error:
            self.silent = f"no answer: {error}"
        return self

    def members(self):
        """(number, host, port, fields) of the other members, as this node knows them."""
        for key, value in self.info.items():
            if key.startswith("raft_node") and key[9:].isdigit():
                fields = dict(pair.split("=", 1) for pair in value.split(",") if "=" in pair)
                yield int(fields["id"]), fields["addr"], int(fields["port"]), fields


def number(info, name, otherwise=0):
    """A whole number of INFO."""
    try:
        return int(info[name])
    except (KeyError, ValueError):
        return otherwise


def of_this_machine(cluster):
    return [Seen("127.0.0.1", node.port, node.number, node, cluster.password()) for node in cluster.nodes]


def elsewhere(addresses, password):
    """The nodes at `host:port,...` and every member that they name."""
    seen = []
    for address in addresses.split(","):
        host, colon, port = address.strip().rpartition(":")
        if not colon or not port.isdigit():
            raise Failure(f"--at {address}: it should look like host:port[,host:port...]")
        seen.append(Seen(host.strip("[]"), int(port), password=password))
    known = {node.ask().number: node for node in seen}
    for node in list(seen):
        for other, host, port, _ in node.members():
            if other not in known:
                known[other] = Seen(host.strip("[]"), port, other, password=password)
                seen.append(known[other])
    return sorted(seen, key=lambda node: (node.number is None, node.number or 0))


def nodes_of(cluster, options):
    """Whom a command looks at."""
    if options.at:
        return elsewhere(options.at, options.password or os.environ.get("KIWI_PASSWORD"))
    if not cluster.exists():
        raise Failure(f"there is no cluster in {cluster.dir}; scripts/cluster start makes one, and --at "
                      "host:port looks at another")
    return of_this_machine(cluster)


def leader_of(nodes):
    """The node that leads in the highest term, or None."""
    leading = [(number(node.info, "raft_current_term"), number(node.info, "raft_node_id"), node)
               for node in nodes if node.info.get("raft_role") == "leader" and
               node.info.get("raft_state") == "up"]
    return max(leading)[2] if leading else None


def http_port(node):
    """Where it answers HTTP: 0 if nowhere, None if it has no such option."""
    text = node.options.get("http-port")
    if text is None:
        return None
    return node.port + 1000 if int(text) < 0 else int(text)
