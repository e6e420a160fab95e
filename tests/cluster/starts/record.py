#!/usr/bin/python3
"""Writes down what a client says to a server: a relay stands between them.

    record.py SERVER_PORT RELAY_PORT TITLE -- COMMAND...    runs the command, prints a scenario

The command connects to 127.0.0.1:RELAY_PORT. A client of clusters goes where CLUSTER SLOTS sends it:
start that server with `--cluster-announce-port RELAY_PORT --cluster-announce-ip 127.0.0.1`.
"""
from __future__ import annotations

import asyncio
import sys

PLAIN = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/*@,(){}=")


def word(argument: bytes) -> str:
    """As starts.py reads it: plain, or in quotes with escapes."""
    if argument and all(byte in PLAIN for byte in argument):
        return argument.decode()
    text = "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in argument)
    return f'"{text}"'


def take_command(buffer: bytearray) -> list[bytes] | None:
    """Cuts one multibulk request off, if it is there whole."""
    position = 0

    def line() -> bytes | None:
        nonlocal position
        end = buffer.find(b"\r\n", position)
        if end < 0:
            return None
        found = bytes(buffer[position:end])
        position = end + 2
        return found

    head = line()
    if head is None:
        return None
    if head[:1] != b"*":
        del buffer[:position]
        return head.split()
    arguments = []
    for _ in range(int(head[1:])):
        length = line()
        if length is None or len(buffer) < position + int(length[1:]) + 2:
            return None
        arguments.append(bytes(buffer[position : position + int(length[1:])]))
        position += int(length[1:]) + 2
    del buffer[:position]
    return arguments


class Relay:
    def __init__(self, server_port: int):
        self.server_port = server_port
        self.said: list[tuple[int, list[bytes]]] = []
        self.connections = 0

    async def connected(self, reader, writer) -> None:
        self.connections += 1
        number = self.connections
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        await asyncio.gather(self.pump(reader, server_writer, number),
                             self.pump(server_reader, writer, None), return_exceptions=True)

    async def pump(self, reader, writer, number) -> None:
        buffer = bytearray()
        while data := await reader.read(65536):
            if number is not None:
                buffer += data
                while (command := take_command(buffer)) is not None:
                    self.said.append((number, command))
            writer.write(data)
            await writer.drain()
        writer.close()


async def main() -> None:
    server_port, relay_port, title = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    relay = Relay(server_port)
    server = await asyncio.start_server(relay.connected, "127.0.0.1", relay_port)
    child = await asyncio.create_subprocess_exec(*sys.argv[5:])
    await asyncio.wait_for(child.wait(), 30)
    server.close()
    print(f"[{title}]")
    last = None
    for number, command in relay.said:
        if number != last:
            print(f"- {number}")
            last = number
        print(" ".join(word(argument) for argument in command))


asyncio.run(main())
