#!/usr/bin/python3
"""Stands for kiwi-server in the tests of scripts/cluster: reads its file, keeps a directory, answers
INFO, OK to RAFT.*, and no options to CONFIG GET. Node 1 leads. FAKE_DIE=N: node N ends at once, as on a data directory
that is locked."""
import os
import socket
import sys
import threading


def serve(connection, text):
    stream = connection.makefile("rb")
    while True:
        head = stream.readline()
        if not head:
            return
        words = [stream.read(int(stream.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
        if words[0].upper() == b"CONFIG":
            connection.sendall(b"*0\r\n")
            continue
        orders = words[0].upper().startswith(b"RAFT.")
        connection.sendall(b"+OK\r\n" if orders else b"$%d\r\n%s\r\n" % (len(text), text))


def main():
    with open(sys.argv[1]) as file:
        lines = [line.split(None, 1) for line in file if not line.startswith("#")]
    options = {name: value.strip().strip('"') for name, value in lines}
    if os.environ.get("FAKE_DIE") == options["raft.id"]:
        print("the data directory is locked by pid 7")
        return 1
    os.makedirs(options["dir"], exist_ok=True)
    role = "leader" if options["raft.id"] == "1" else "follower"
    text = (f"# raft_general\r\nraft_state:up\r\nraft_role:{role}\r\nraft_leader_id:1\r\n"
            "raft_current_term:2\r\nraft_commit_index:9\r\nraft_last_applied_index:9\r\n"
            "raft_is_voting:yes\r\nraft_num_voting_nodes:3\r\n").encode()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(options["port"])))
    listener.listen(16)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], text), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
