#!/usr/bin/env python3
"""Fills transcripts with what a running redis-server 7.0 answers: record.py PORT FILE...

A file is a list of conversations:
    = NAME [requirepass]   a new connection; with the word, the server asks for the password "secret"
    = NAME debug           of a server with enable-debug-command yes
    > BYTES                sent, with \\r\\n and other escapes
    < BYTES                everything the server answered; {id}, {time} and {address} stand for the
                           connection's id, the time and the client of a line of MONITOR
    ! closed               the server closed the connection
The script drops all < and ! lines and writes them anew.
"""
import re
import socket
import sys


def receive(connection, wait=0.25):
    connection.settimeout(wait)
    out = b""
    try:
        while True:
            data = connection.recv(1 << 20)
            if not data:
                return out, True
            out += data
    except ConnectionResetError:
        return out, True
    except TimeoutError:
        return out, False


def escape(data):
    text = "".join(
        chr(b) if 32 <= b < 127 and b != 92 else {10: "\\n", 13: "\\r", 92: "\\\\"}.get(b, "\\x%02x" % b)
        for b in data
    )
    text = re.sub(r"(\$2\\r\\nid\\r\\n):\d+", r"\1:{id}", text)
    return re.sub(r"\+\d+\.\d{6} \[(\d+) 127\.0\.0\.1:\d+\]", r"+{time} [\1 {address}]", text)


def unescape(text):
    return text.encode().decode("unicode_escape").encode("latin1")


def record(port, path):
    out = []
    connection = None
    admin = socket.create_connection(("127.0.0.1", port))

    def require(password, login=None):
        if login:
            admin.sendall(b"AUTH %s\r\n" % login)
            receive(admin)
        admin.sendall(b'CONFIG SET requirepass "%s"\r\n' % password)
        assert receive(admin)[0] == b"+OK\r\n"

    protected = False
    for line in open(path).read().split("\n"):
        if line.startswith(("<", "!")):
            continue
        out.append(line)
        if line.startswith("="):
            if connection:
                connection.close()
            if protected:
                require(b"", b"secret")
            protected = line.endswith(" requirepass")
            if protected:
                require(b"secret")
            connection = socket.create_connection(("127.0.0.1", port))
        elif line.startswith(">"):
            connection.sendall(unescape(line[2:]))
            answer, closed = receive(connection)
            if answer:
                out.append("< " + escape(answer))
            if closed:
                out.append("! closed")
    if protected:
        require(b"", b"secret")
    open(path, "w").write("\n".join(out))


for name in sys.argv[2:]:
    record(int(sys.argv[1]), name)
