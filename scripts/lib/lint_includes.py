"""Who may include whom (the table of rooms), for scripts/lint."""

import os
import re

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)

BELOW_ACTORS = ("config/", "raft/", "rocks/", "resp/")

# Room -> what it may include of the tree: whole folders, the files right in a folder ("actors/."),
# or single headers. A file belongs to the deepest room that its path names; a room always includes
# its own files.
MAY_INCLUDE = {
    "config/base": (),
    "config": ("config/base/",),
    "raft": ("config/base/",),
    "rocks": ("config/", "raft/types.hpp", "raft/log_storage.hpp", "raft/codec.hpp"),
    "resp": ("config/", "rocks/keyspace.hpp", "rocks/keys.hpp",
             "rocks/metadata.hpp", "raft/types.hpp", "raft/core.hpp", "raft/codec.hpp"),
    # What keys hold: no protocol, no argv, no reply.
    "resp/types": ("config/", "rocks/keyspace.hpp", "rocks/keys.hpp", "rocks/metadata.hpp"),
    "actors": BELOW_ACTORS,
    "actors/tls": ("config/",),
    "actors/clients": (*BELOW_ACTORS, "actors/.", "actors/tls/"),
    "actors/http": (*BELOW_ACTORS, "actors/."),
    "actors/snapshots": (*BELOW_ACTORS, "actors/."),
    "actors/state": (*BELOW_ACTORS, "actors/."),
    "actors/peers": (*BELOW_ACTORS, "actors/.", "actors/snapshots/", "actors/tls/"),
    "actors/replica": (*BELOW_ACTORS, "actors/.", "actors/peers/"),
    "actors/node": (*BELOW_ACTORS, "actors/"),
    "scripts": (),
}

# third-party prefix -> where it may be named.
THIRD_PARTY = {
    "spdlog/": ("config/base/log.cpp",),
    "fmt/": ("config/base/log.cpp",),
    "xxhash.h": ("config/base/checksum.cpp",),
    "cereal/": ("raft/codec.cpp", "resp/codec"),
    "rocksdb/": ("rocks/",),
    "lua": ("resp/",),
    "caf/": ("actors/",),
    "boost/": ("actors/", "config/base/fiber.cpp"),
    "openssl/": ("actors/",),
    "doctest/": (),
    "rapidcheck": (),
}

# What must not leak: header prefix -> folders whose files may reach it through any chain.
MUST_NOT_LEAK = {
    "rocksdb/": ("rocks/", "tests/rocks/"),
    "caf/": ("actors/", "tests/actors/"),
    "boost/asio": ("actors/", "tests/actors/"),
    "openssl/": ("actors/tls/", "actors/peers/", "tests/actors/"),
}

# The core has no thread, clock, device, file, socket: what would give it one.
IMPURE_IN_RAFT = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "atomic",
                  "chrono", "random", "fstream", "iostream", "filesystem", "ctime", "time.h",
                  "unistd.h", "sys/socket.h"}
ASIO_FILES_MAX = 10


def includes_of(text):
    """(line number, project header or None, system header or None)"""
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start(1 if match[1] else 2)) + 1, match[1], match[2]


def room_of(path):
    """The deepest room whose folder holds the file."""
    return max((room for room in MAY_INCLUDE if path.startswith(room + "/")), key=len)


def allowed(room, header):
    def covers(entry):
        if entry.endswith("/."):
            return os.path.dirname(header) == entry[:-2]
        return header.startswith(entry) if entry.endswith("/") else header == entry

    own = os.path.dirname(header) == room if room == "actors" else header.startswith(room + "/")
    return own or any(map(covers, MAY_INCLUDE[room]))


def check_direct(path, text):
    folder = path.split("/")[0]
    in_tests = folder == "tests"
    room = None if in_tests else room_of(path)
    for line, ours, system in includes_of(text):
        if ours and not in_tests and not allowed(room, ours):
            yield (f"{path}:{line}: {room}/ must not include \"{ours}\" (it may: "
                   f"{', '.join((room + '/', *MAY_INCLUDE[room]))})")
        if not system:
            continue
        if folder == "raft" and system in IMPURE_IN_RAFT:
            yield f"{path}:{line}: the core is pure and has no use for <{system}>"
        for prefix, homes in THIRD_PARTY.items():
            if system.startswith(prefix) and not in_tests and not path.startswith(homes or "?"):
                yield (f"{path}:{line}: <{system}> belongs in "
                       f"{', '.join(homes) if homes else 'tests'} only")


def reached(files):
    """path -> system headers reached through the tree's own headers, with the first step."""
    direct = {path: [(ours, system) for _, ours, system in includes_of(text)]
              for path, text in files.items()}
    known = {}

    def visit(path):
        if path in known:
            return known[path]
        known[path] = {}  # a cycle adds nothing
        found = {}
        for ours, system in direct.get(path, []):
            if system:
                found.setdefault(system, "")
            elif ours:
                for header in visit(ours):
                    found.setdefault(header, ours)
        known[path] = found
        return found

    for path in direct:
        visit(path)
    return known


def check(files):
    code = {p: t for p, t in files.items() if p.endswith((".cpp", ".hpp", ".def"))}
    for path, text in sorted(code.items()):
        yield from check_direct(path, text)
    asio_files = 0
    for path, headers in sorted(reached(code).items()):
        for prefix, homes in MUST_NOT_LEAK.items():
            through = [via for header, via in headers.items() if header.startswith(prefix)]
            if through and not path.startswith(homes):
                yield (f"{path}: reaches <{prefix}...>"
                       f"{' through ' + through[0] if through[0] else ''}; keep it behind a "
                       "pimpl in a .cpp")
            if through and prefix == "boost/asio" and path.endswith(".cpp") and \
                    not path.startswith("tests/"):
                asio_files += 1
    if asio_files > ASIO_FILES_MAX:
        yield f"{asio_files} sources reach Asio, at most {ASIO_FILES_MAX} should: it costs 5 s each"
