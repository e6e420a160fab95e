"""TCP proxies between peers: partitions without root and without network namespaces.

Each node's raft.peers entry names a proxy port (`/127.0.0.1:proxy`) that forwards to its real peer
port. The list must be identical on all nodes (F2), so one proxy port serves all dialers of a node;
who dials is found through /proc (socket inode -> pid). Each *directed* pair of nodes has a gate. A
closed gate stops reading: bytes stay in kernel buffers and arrive late when the gate opens, as on a
real network. `cut` resets the connections instead.
"""
from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading

CHUNK = 65536


class _Pair:
    """One proxied connection between two nodes."""

    def __init__(self, dialer: int, target: int, writers):
        self.dialer, self.target, self.writers = dialer, target, writers

    def abort(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class PeerProxies:
    """All proxies of one cluster, on one event loop in one daemon thread."""

    HOST = "127.0.0.2"

    def __init__(self, node_ids, pid_of):
        self._ids = list(node_ids)
        self._pid_of = pid_of  # node id -> pid or None
        self._blocked: set[tuple[int, int]] = set()
        self._refused: set[frozenset] = set()
        self._delay: dict[tuple[int, int], float] = {}
        self._pairs: set[_Pair] = set()
        self._servers = []
        self.ports: dict[int, int] = {}
        # Somebody on the path: (source, target, bytes) -> what is sent on; on the proxies' thread.
        self.tap = None
        self._loop = asyncio.new_event_loop()
        self._changed: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxies")
        self._thread.start()

    def open(self, targets: dict[int, int]) -> dict[int, int]:
        """targets: node id -> real peer port. Returns node id -> proxy port."""
        return self._run(self._open(targets))

    async def _open(self, targets):
        self._changed = asyncio.Event()
        for node, port in targets.items():
            async def serve(reader, writer, node=node, port=port):
                await self._serve(reader, writer, node, port)
            server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=CHUNK)
            self._servers.append(server)
            # A node that joins names its own peer port; with raft.addr, on this host.
            self._servers.append(await asyncio.start_server(serve, self.HOST, port, limit=CHUNK))
            self.ports[node] = server.sockets[0].getsockname()[1]
        return dict(self.ports)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    # ---- faults

    def block(self, source: int, target: int) -> None:
        """One direction goes silent."""
        self._run(self._change(lambda: self._blocked.add((source, target))))

    def block_both(self, a: int, b: int) -> None:
        self._run(self._change(lambda: self._blocked.update({(a, b), (b, a)})))

    def isolate(self, node: int) -> None:
        for other in self._ids:
            if other != node:
                self.block_both(node, other)

    def split(self, left, right) -> None:
        for a in left:
            for b in right:
                self.block_both(a, b)

    def cut(self, a: int, b: int) -> None:
        """Resets the connections of a pair and refuses new ones until heal()."""
        self._run(self._change(lambda: self._refused.add(frozenset((a, b)))))

    def reset_connections(self) -> None:
        """Every link breaks once; new ones are accepted at once."""
        self._run(self._abort(lambda pair: True))

    def delay(self, source: int, target: int, seconds: float) -> None:
        self._run(self._change(lambda: self._delay.__setitem__((source, target), seconds)))

    def heal(self) -> None:
        def clear():
            self._blocked.clear()
            self._refused.clear()
            self._delay.clear()
        self._run(self._change(clear))

    async def _change(self, mutate) -> None:
        mutate()
        await self._abort(lambda pair: frozenset((pair.dialer, pair.target)) in self._refused)
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    async def _abort(self, chosen) -> None:
        for pair in [pair for pair in self._pairs if chosen(pair)]:
            pair.abort()

    # ---- forwarding

    async def _pass(self, source: int, target: int) -> None:
        while (source, target) in self._blocked:
            await self._changed.wait()

    async def _serve(self, reader, writer, target: int, port: int) -> None:
        dialer = self._dialer_of(writer.get_extra_info("peername"))
        if frozenset((dialer, target)) in self._refused:
            writer.transport.abort()
            return
        await self._pass(dialer, target)
        await self._pass(target, dialer)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(dialer, target, (writer, up_writer))
        self._pairs.add(pair)
        pumps = [asyncio.ensure_future(self._pump(reader, up_writer, dialer, target)),
                 asyncio.ensure_future(self._pump(up_reader, writer, target, dialer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            try:
                # A close of one side reaches the other only through open gates.
                await self._pass(dialer, target)
                await self._pass(target, dialer)
            finally:
                for pump in pumps:
                    pump.cancel()
                pair.abort()
                self._pairs.discard(pair)

    async def _pump(self, reader, writer, source: int, target: int) -> None:
        try:
            while True:
                await self._pass(source, target)
                data = await reader.read(CHUNK)
                if not data:
                    return
                await self._pass(source, target)
                pause = self._delay.get((source, target), 0)
                if pause:
                    await asyncio.sleep(pause)
                tap = self.tap
                writer.write(tap(source, target, data) if tap else data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return

    # ---- who is it

    def _dialer_of(self, address) -> int:
        inode = _inode_of(address)
        for node in self._ids:
            pid = self._pid_of(node)
            if pid and inode and _owns(pid, inode):
                return node
        return 0  # a stranger (a test that dials by itself): no gate holds it

    def close(self) -> None:
        if not self._thread.is_alive():
            return  # a test that closes its cluster, and then the fixture

        async def shut():
            for server in self._servers:
                server.close()
            await self._abort(lambda pair: True)
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            if others:  # one that is inside wait_closed() may take its time; the loop ends anyway
                await asyncio.wait(others, timeout=2)
        try:
            self._run(shut())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)


def _inode_of(address) -> str | None:
    ip, port = address[:2]
    packed = struct.unpack("<I", socket.inet_aton(ip))[0]
    wanted = f"{packed:08X}:{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    if fields[1].endswith(wanted) and fields[9] != "0":
                        return fields[9]
        except OSError:
            continue
    return None


def _owns(pid: int, inode: str) -> bool:
    wanted = f"socket:[{inode}]"
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{name}") == wanted:
                    return True
            except OSError:
                continue
    except OSError:
        pass
    return False
