"""scripts/backup: asks a running node for a copy of its data, and checks that it is here."""

import argparse
import os
import sys
import threading
import time

import resp
from progress import Progress, part, size

HELP = """\
A consistent copy of a running cluster's data, taken by one of its nodes while it serves.

  scripts/backup [--port P] [--password W] DIRECTORY

  DIRECTORY       new; written by the node, so this must be the node's machine
  --port P        client port of the node, leader or follower (6379)
  --password W    if the node has a requirepass

The copy is what the node had applied at one log index; every write that was acknowledged before, by
any node, is in it. Files are hard links where the file system allows, so it costs little space until
the data changes; copy it elsewhere to be safe from this disk.

Restored into the first node of a new cluster, whose other nodes then join:
  kiwi-server --restore DIRECTORY --dir NEW --raft.id 1     and then kiwi-server --dir NEW ...
  scripts/cluster start --restore DIRECTORY --nodes 3
"""
BACKUP_SECONDS = 3600
LOOK_SECONDS = 0.2


class Failure(Exception):
    """Ends the command with one sentence."""


def bytes_below(directory):
    total = 0
    for where, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(where, name))
            except OSError:
                continue  # it was renamed while the node writes
    return total


class Watch(threading.Thread):
    """Tells how much of the backup is written, while another thread waits for it."""

    def __init__(self, directory, expected):
        super().__init__(daemon=True)
        self._directory, self._expected = directory, expected
        self._ended, self._progress = threading.Event(), Progress("backup")

    def run(self):
        before = -1
        while not self._ended.wait(LOOK_SECONDS):
            written = bytes_below(self._directory)
            grows, before = written != before, written
            self._progress.tell(part(written, self._expected) if grows or not written
                                else f"{size(written)} written, being read back")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self.join()
        self._progress.close()


def back_up(port, password, directory):
    if os.path.exists(directory):
        raise Failure(f"{directory} exists already; a backup needs a new directory")
    if not os.path.isdir(os.path.dirname(directory)):
        raise Failure(f"there is no directory {os.path.dirname(directory)} to put the backup into")
    begin = time.monotonic()
    try:
        with resp.Client("127.0.0.1", port, BACKUP_SECONDS, password) as client:
            # A linearizable read: the node has applied whatever was acknowledged before it.
            client.call("EXISTS", "")
            expected = int(client.info("persistence").get("keyspace_disk_bytes", 0))
            with Watch(directory, expected):
                made = client.call("RAFT.BACKUP", directory).decode()
    except resp.ServerError as error:
        raise Failure(f"the node refused: {error}") from None
    except OSError as error:
        raise Failure(f"no node answers on port {port}: {error}") from None
    if not os.path.isdir(made):
        raise Failure(f"the node wrote {made}, but it is not on this machine")
    print(f"backup: {bytes_below(made)} bytes in {made} after {time.monotonic() - begin:.1f} s\n"
          f"restore it with: scripts/cluster start --restore {made} --dir NEW")


def main(argv):
    parser = argparse.ArgumentParser(prog="scripts/backup", add_help=False)
    parser.add_argument("directory", nargs="?")
    parser.add_argument("--port", type=int, default=6379)
    parser.add_argument("--password")
    parser.add_argument("-h", "--help", action="store_true")
    options = parser.parse_args(argv)
    if options.help or options.directory is None:
        print(HELP, end="")
        return 0 if options.help else 1
    try:
        back_up(options.port, options.password, os.path.abspath(options.directory))
        return 0
    except Failure as failure:
        print(f"backup: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
