"""A small Redis client on the standard library, for the scripts here."""

import socket


class ServerError(Exception):
    """The server answered with an error; str() is its text."""


class Client:
    """One connection. A failed or late answer raises OSError or ServerError."""

    def __init__(self, host, port, timeout=1.0, password=None):
        self._socket = socket.create_connection((host, port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = self._socket.makefile("rb")
        if password:
            self.call("AUTH", password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._input.close()
        self._socket.close()

    def call(self, *argv):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in argv]
        packed = b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
        self._socket.sendall(b"*%d\r\n%s" % (len(words), packed))
        return self._reply()

    def info(self, section="everything"):
        """INFO as a dictionary of strings."""
        text = self.call("INFO", section).decode()
        lines = (line.split(":", 1) for line in text.splitlines() if not line.startswith("#"))
        return {pair[0]: pair[1] for pair in lines if len(pair) == 2}

    def _line(self):
        line = self._input.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        return line[:-2]

    def _reply(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise ServerError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            data = self._input.read(int(rest) + 2)
            if len(data) != int(rest) + 2:
                raise ConnectionError("the connection was closed")
            return data[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self._reply() for _ in range(int(rest))]
        raise ConnectionError("not a Redis answer: %r" % line)
