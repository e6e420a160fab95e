"""A node's HTTP port: what it answers, and its metrics as numbers."""
from __future__ import annotations

import http.client
import re

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)")


def ask(node, path: str, method: str = "GET", headers: dict[str, str] | None = None,
        body: bytes | None = None, timeout: float = 10.0) -> tuple[int, str]:
    connection = http.client.HTTPConnection(node.host, node.web_port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def status(node, path: str) -> int:
    """0: nobody answers."""
    try:
        return ask(node, path)[0]
    except OSError:
        return 0


class Metrics:
    """One scrape."""

    def __init__(self, text: str):
        self.text = text
        self.samples: dict[str, float] = {}  # name and labels -> value
        self.types: dict[str, str] = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                assert name not in self.types, line
                self.types[name] = kind
            elif not line.startswith("#"):
                found = _SAMPLE.fullmatch(line)
                assert found, line
                series = found[1] + (found[2] or "")
                assert series not in self.samples, line
                self.samples[series] = float(found[3])

    def __getitem__(self, series: str) -> float:
        return self.samples[series]

    def get(self, series: str, otherwise: float = 0.0) -> float:
        return self.samples.get(series, otherwise)


def metrics(node) -> Metrics:
    code, text = ask(node, "/metrics")
    assert code == 200, text
    return Metrics(text)
