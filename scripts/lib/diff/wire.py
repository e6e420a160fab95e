"""One connection whose replies are kept as the bytes they were, RESP2 or RESP3."""

import socket


class Error(bytes):
    """An error reply: its text without the leading '-'."""


class Pairs(list):
    """A RESP3 map: its pairs, in the order they came."""


class Unordered(list):
    """A RESP3 set: Redis promises no order."""


SIMPLE = {b"+": bytes, b"-": Error, b":": int, b"_": lambda _: None, b"#": lambda rest: rest == b"t",
          b",": lambda rest: ("double", rest), b"(": int}


def encode(argv):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in argv]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def parse(raw, at=0):
    """(value, position behind it) of the reply that begins at `at`; IndexError if it is not whole."""
    end = raw.find(b"\r\n", at)
    if end < 0:
        raise IndexError
    kind, rest, at = raw[at:at + 1], raw[at + 1:end], end + 2
    if kind in SIMPLE:
        return SIMPLE[kind](rest), at
    size = int(rest)
    if kind in b"$=!":
        if size < 0:
            return None, at
        if len(raw) < at + size + 2:
            raise IndexError
        body = raw[at:at + size]
        return (Error(body) if kind == b"!" else bytes(body)), at + size + 2
    if kind not in b"*~>%":
        raise ConnectionError(f"no reply begins with {kind!r}")
    if size < 0:
        return None, at
    values = []
    for _ in range(size * 2 if kind == b"%" else size):
        value, at = parse(raw, at)
        values.append(value)
    if kind == b"%":
        return Pairs(zip(values[::2], values[1::2])), at
    return (Unordered(values) if kind == b"~" else values), at


class Connection:
    def __init__(self, port, host="127.0.0.1", timeout=30):
        self._socket = socket.create_connection((host, port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._protocol = 2

    def hello(self, protocol):
        if protocol != 2:
            self.call("HELLO", str(protocol))
        self._protocol = protocol

    def another(self):
        """A connection to the same server, of the same protocol."""
        made = Connection(self._socket.getpeername()[1])
        made.hello(self._protocol)
        return made

    def fileno(self):
        return self._socket.fileno()

    def has_bytes(self):
        return self._buffer != b""

    def close(self):
        self._socket.close()

    def send(self, *commands):
        self._socket.sendall(b"".join(map(encode, commands)))

    def receive(self):
        """(the reply's bytes, what they mean)"""
        while True:
            try:
                value, end = parse(self._buffer)
                break
            except (IndexError, ValueError):
                got = self._socket.recv(1 << 20)
                if not got:
                    raise ConnectionError("the server closed the connection") from None
                self._buffer += got
        raw, self._buffer = self._buffer[:end], self._buffer[end:]
        return raw, value

    def call(self, *argv):
        self.send(argv)
        return self.receive()[1]
