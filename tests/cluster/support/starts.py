"""What clients say when they start, as data (starts/*.txt), and its replay.

    # text                    who says so
    [title] or [title] cluster     a scenario; with the word the oracle is a Redis Cluster node
    - name                    the connection that speaks from here on, opened when it is named first
    COMMAND ARG "with \\x00"   words, or in quotes with escapes
"""
from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass, field

from .resp import encode

DIRECTORY = pathlib.Path(__file__).resolve().parents[1] / "starts"
_WORD = re.compile(r'"((?:[^"\\]|\\x[0-9a-f]{2})*)"|(\S+)')
_ANSWER_EACH = {b"subscribe", b"psubscribe", b"ssubscribe",
                b"unsubscribe", b"punsubscribe", b"sunsubscribe"}


@dataclass
class Scenario:
    client: str
    title: str
    cluster: bool = False
    said: list[tuple[str, list[bytes]]] = field(default_factory=list)  # connection, command

    def __str__(self) -> str:
        return f"{self.client}: {self.title}"


@dataclass
class Answer:
    connection: str
    command: list[bytes]
    replies: list[bytes]  # as they came; those of SUBSCRIBE and its like are several

    @property
    def error(self) -> str | None:
        first = next((reply for reply in self.replies if reply[:1] in b"-!"), None)
        return None if first is None else first.decode("utf-8", "replace").strip()

    @property
    def kinds(self) -> bytes:
        return b"".join(reply[:1] for reply in self.replies)

    def __str__(self) -> str:
        return b" ".join(self.command).decode("utf-8", "replace")


def words(line: str) -> list[bytes]:
    found = []
    for quoted, plain in _WORD.findall(line):
        text = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), quoted)
        found.append(text.encode("latin1") if not plain else plain.encode())
    return found


def read_file(path: pathlib.Path) -> list[Scenario]:
    scenarios: list[Scenario] = []
    speaker = ""
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            title, _, kind = line[1:].rpartition("]")
            assert kind in ("", " cluster"), f"{path.name}: {line}"
            scenarios.append(Scenario(path.stem, title, kind == " cluster"))
            speaker = ""
        elif line.startswith("- "):
            speaker = line[2:]
        else:
            assert speaker, f"{path.name}: nobody says {line}"
            scenarios[-1].said.append((speaker, words(line)))
    return scenarios


def all_scenarios() -> list[Scenario]:
    return [one for path in sorted(DIRECTORY.glob("*.txt")) for one in read_file(path)]


def replies_to(command: list[bytes]) -> int:
    return max(1, len(command) - 1) if command[0].lower() in _ANSWER_EACH else 1


def _runs(said, pipelined: bool):
    """What is sent in one go: what one connection says before another one speaks, or each alone."""
    run: list[list[bytes]] = []
    speaker = None
    for name, command in said:
        if run and (name != speaker or not pipelined):
            yield speaker, run
            run = []
        speaker = name
        run.append(command)
    if run:
        yield speaker, run


def replay(server, scenario: Scenario, pipelined: bool) -> list[Answer]:
    """server: a Node or a RedisServer."""
    connections = {}
    answers = []
    try:
        for name, commands in _runs(scenario.said, pipelined):
            if name not in connections:
                connections[name] = server.connect()
            connection = connections[name]
            connection.send_raw(b"".join(encode(*command) for command in commands))
            for command in commands:
                replies = [connection.read_raw() for _ in range(replies_to(command))]
                answers.append(Answer(name, command, replies))
    finally:
        for connection in connections.values():
            connection.close()
    return answers
