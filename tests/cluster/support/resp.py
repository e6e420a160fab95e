"""A raw RESP2/RESP3 client: one socket, explicit pipelining, no retries and no interpretation.

Replies become plain Python values that keep what the wire said: simple strings are SimpleString,
errors are RespError *values* (never raised by read()), null is None, maps are dict, sets are Reply
lists marked by their type. `read_raw` gives the exact bytes of one reply, for comparisons byte for
byte.
"""
from __future__ import annotations

import socket


class SimpleString(str):
    """+OK and its kind; compares equal to the plain string."""


class RespError(Exception):
    """-ERR ... as a value. The first word decides the fate of the command (fates.py)."""

    @property
    def text(self) -> str:
        return str(self.args[0])

    @property
    def code(self) -> str:
        return self.text.split(" ", 1)[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RespError) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class ProtocolViolation(Exception):
    """The server sent bytes that are not RESP."""


class Push(list):
    """A RESP3 push message."""


NOTHING = object()  # no reply


def encode(*args: object) -> bytes:
    """One command as a multibulk request."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = to_bytes(arg)
        parts.append(b"$%d\r\n" % len(data))
        parts.append(data)
        parts.append(b"\r\n")
    return b"".join(parts)


def to_bytes(arg: object) -> bytes:
    if isinstance(arg, bytes):
        return arg
    if isinstance(arg, float):
        return repr(arg).encode()
    return str(arg).encode()


class Connection:
    """One client connection. Every method raises OSError (ConnectionError, timeout) when the
    connection is unusable; the caller decides what that means for what is in flight."""

    def __init__(self, host: str, port: int, timeout: float = 15.0, connect_timeout: float = 3.0):
        self.socket = socket.create_connection((host, port), timeout=connect_timeout)
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.position = 0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            self.socket.close()
        except OSError:
            pass

    # ---- commands

    def send(self, *args: object) -> None:
        self.socket.sendall(encode(*args))

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def call(self, *args: object):
        """Sends one command and returns its reply; an error reply is returned, not raised."""
        self.send(*args)
        return self.read()

    def must(self, *args: object):
        """Like call(), but an error reply raises."""
        reply = self.call(*args)
        if isinstance(reply, RespError):
            raise reply
        return reply

    def pipeline(self, commands) -> list:
        """Sends all, then reads all replies. For pipelines that fit the socket buffers or whose
        server reads on while it answers."""
        commands = list(commands)
        self.socket.sendall(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]

    # ---- reading

    def _fill(self) -> None:
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError("closed by the server")
        if self.position > 1 << 20:
            del self.buffer[: self.position]
            self.position = 0
        self.buffer += data

    def _line(self) -> bytes:
        search_from = self.position
        while True:
            end = self.buffer.find(b"\r\n", search_from)
            if end >= 0:
                line = bytes(self.buffer[self.position : end])
                self.position = end + 2
                return line
            pending = len(self.buffer) - self.position
            self._fill()
            search_from = self.position + max(0, pending - 1)

    def _exactly(self, count: int) -> bytes:
        while len(self.buffer) - self.position < count:
            self._fill()
        data = bytes(self.buffer[self.position : self.position + count])
        self.position += count
        return data

    def read(self):
        """The next reply."""
        value = self._read_value()
        if self.position == len(self.buffer):
            self.buffer.clear()
            self.position = 0
        return value

    def read_within(self, seconds: float):
        """The next reply, or NOTHING if it has not come whole by then: the next read begins anew."""
        del self.buffer[: self.position]
        self.position = 0
        patience = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            return self.read()
        except TimeoutError:
            self.position = 0
            return NOTHING
        finally:
            self.socket.settimeout(patience)

    def read_raw(self) -> bytes:
        """The bytes of the next reply, parsed only as far as its end must be known."""
        if self.position:
            del self.buffer[: self.position]
            self.position = 0
        self._read_value()
        raw = bytes(self.buffer[: self.position])
        del self.buffer[: self.position]
        self.position = 0
        return raw

    def call_raw(self, *args: object) -> bytes:
        self.send(*args)
        return self.read_raw()

    def _read_value(self):
        line = self._line()
        if not line:
            raise ProtocolViolation("empty line instead of a reply")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return SimpleString(rest.decode("utf-8", "replace"))
        if kind == b"-":
            return RespError(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind in b"$=!":
            return self._read_bulk(kind, int(rest))
        if kind in b"*~>%|":
            return self._read_aggregate(kind, int(rest))
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        if kind == b"(":
            return int(rest)
        raise ProtocolViolation(f"a reply cannot start with {line[:40]!r}")

    def _read_bulk(self, kind: bytes, length: int):
        if length < 0:
            return None
        data = self._exactly(length)
        if self._exactly(2) != b"\r\n":
            raise ProtocolViolation("bulk string not followed by CRLF")
        if kind == b"!":
            return RespError(data.decode("utf-8", "replace"))
        return data[4:] if kind == b"=" else data

    def _read_aggregate(self, kind: bytes, length: int):
        if length < 0:
            return None
        if kind in b"%|":
            pairs = [(_hashable(self._read_value()), self._read_value()) for _ in range(length)]
            return dict(pairs) if kind == b"%" else self._read_value()
        items = [self._read_value() for _ in range(length)]
        return Push(items) if kind == b">" else items


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


def try_connect(host: str, port: int, timeout: float = 15.0) -> Connection | None:
    try:
        return Connection(host, port, timeout=timeout, connect_timeout=2.0)
    except OSError:
        return None
