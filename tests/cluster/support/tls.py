"""Clusters whose nodes also take clients that speak TLS, and such clients."""
from __future__ import annotations

import pathlib
import socket
import ssl
import sys

from .cluster import Node
from .ports import free_port
from .resp import Connection

sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "scripts" / "lib"))

import certificates  # noqa: E402


def speak_tls(cluster, **options: object):
    """Before the nodes start. Options with _ for -; those of all nodes."""
    where = cluster.root / "tls"
    certificates.make(str(where))
    for node in cluster.nodes:
        node.options["tls-port"] = str(free_port())
        node.options.update(certificates.server_options(str(where)))
        node.options.update({name.replace("_", "-"): str(value) for name, value in options.items()})
    return cluster


def tls_port(node: Node) -> int:
    return int(node.options["tls-port"])


def directory(node: Node) -> pathlib.Path:
    return pathlib.Path(node.options["tls-ca-cert-file"]).parent


def context(node: Node, certificate: str | None = "client", authority: pathlib.Path | None = None,
            **wishes) -> ssl.SSLContext:
    where = directory(node)
    made = ssl.create_default_context(cafile=str((authority or where) / "ca.crt"))
    if certificate:
        made.load_cert_chain(where / f"{certificate}.crt", where / f"{certificate}.key")
    for name, value in wishes.items():
        setattr(made, name, value)
    return made


class TlsConnection(Connection):
    """As Connection, with TLS; raises ssl.SSLError (an OSError) when the handshake fails, with TLS 1.3 also
    the first read may."""

    def __init__(self, node: Node, timeout: float = 15.0, made: ssl.SSLContext | None = None):
        super().__init__(node.host, tls_port(node), timeout=timeout)
        try:
            self.socket = (made or context(node)).wrap_socket(self.socket, server_hostname="localhost")
        except OSError:
            self.socket.close()
            raise


def plain_socket(node: Node, timeout: float = 5.0) -> socket.socket:
    """Without TLS, on the port for it."""
    return socket.create_connection((node.host, tls_port(node)), timeout=timeout)


def read_to_end(connection: socket.socket) -> bytes:
    """What comes until the other side ends the connection; a timeout is raised."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionError:
        pass
    return received
