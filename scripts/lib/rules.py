"""Which test stands for which rule, and what fails when it is broken: writes tests/RULES.md.

    /usr/bin/python3 scripts/lib/rules.py          writes it
    /usr/bin/python3 scripts/lib/rules.py --check  fails if a rule has no test, if nobody saw a test
                                                   fail because of it, or if a row names a test that
                                                   is gone

A test names its rule: `[F12]` in a doctest case, in the docstring of a pytest function, in the first
lines or the file name of a trace. A known failure of another system names its tests by rule or by a
part of their name. What exists and has no test, and a name that no test has, is an error.

What fails: a mutant, which names its rule where it is declared (its catches are in tests/MUTANTS.md),
or a named change (tests/broken_rules.txt).
"""
import ast
import os
import re
import sys
from dataclasses import dataclass

import broken
import mutants

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = "tests/RULES.md"
RULE = re.compile(r"\bF([1-9]\d?)\b")
CASE = re.compile(r'TEST_CASE\w*\(\s*(?:name\s+)?"((?:[^"\\]|\\.)*)"((?:\s*"(?:[^"\\]|\\.)*")*)')
SHOWN = 4  # names per row; the rest is counted

# number: (title, what it waits for, if it is not there yet)
RULES = {
    1: ("a wiped node has no vote until it was replaced", ""),
    2: ("two halves never found two clusters", ""),
    3: ("a number belongs to its bytes; refused ones become void", ""),
    4: ("boot epochs only grow", ""),
    5: ("after TIMEOUT only void is sent", ""),
    6: ("program order of one connection", ""),
    7: ("no compaction decides what exists", ""),
    8: ("expiry deletes only what was seen", ""),
    9: ("no reader's clock is forgotten in a failover", ""),
    10: ("commands of one entry see each other", ""),
    11: ("WATCH, also of missing keys", ""),
    12: ("persist tokens", ""),
    13: ("the log is cut below what the state has flushed", ""),
    14: ("an install has one commit point", ""),
    15: ("a late snapshot takes no acknowledged suffix", ""),
    16: ("torn tail or damage", ""),
    17: ("files are reused from the same sender only", ""),
    18: ("membership by what stands in the log", ""),
    19: ("commit notices promise only what matched", ""),
    20: ("leases count from the sending, end with TimeoutNow", ""),
    21: ("admin commands cannot make a replica differ", ""),
    22: ("a snapshot swallows no reply", ""),
    23: ("origins send again, leaders keep their order", ""),
    24: ("a failover fits into the response timeout", ""),
    25: ("who was removed is told", ""),
    26: ("a leader with a hanging disk gives up its office", ""),
    27: ("an old leader and a sticky voter do not block each other", ""),
    28: ("bounds, and who may say no", ""),
    29: ("big entries do not starve heartbeats", ""),
    30: ("a poison entry stops nobody", ""),
    31: ("blocking pops", "blocking commands"),
    32: ("proposals during a transfer", ""),
    33: ("SCAN cursors are positions", ""),
    34: ("only the logical state is seen", ""),
    35: ("apply reads no option and no clock", ""),
    36: ("one read round confirms what came before it", ""),
    37: ("a fast clock does not stop time", ""),
    38: ("log-fsync no: the log before the state", ""),
    39: ("LOADING until the known commit is applied", ""),
    40: ("element keys by version id", ""),
    41: ("RocksDB options that must not be on", ""),
    42: ("backup and restore", ""),
    43: ("a reader's clock passes no entry that it does not see", ""),
    44: ("a long read is of one moment, and nothing behind it is older", ""),
    45: ("replies are bounded while they are built; what was applied never says ERR", ""),
    46: ("what an entry means is the cluster's version's, not the program's", ""),
    47: ("queues give back what they took; one bound for all clients of a node", ""),
    48: ("what apply has not taken yet need not stay in memory", ""),
    49: ("a member that lives is not replaced", ""),
    50: ("what is proposed is measured first", ""),
    51: ("strangers on the peer port give way", ""),
    52: ("an old copy of a directory counts as a wiped one", ""),
    53: ("a leader that does not get ready gives up its office", ""),
    54: ("a cluster of one that an older cluster knows stops", ""),
    55: ("the table's memory goes by bytes", ""),
    56: ("expiry keeps up", ""),
    57: ("what is absent costs a cursor nothing", ""),
    58: ("to drop millions of keys takes milliseconds", ""),
    59: ("no loss of the last write is damage, no damage is taken for it", ""),
    60: ("room for what is owed", ""),
    61: ("one command, one commit of bounded size", ""),
    62: ("random members cost their number", ""),
    63: ("no client can compute the hashes that order memory", ""),
    64: ("reads in a block run where the answer is kept", ""),
    65: ("reads do not slow writers down", ""),
    66: ("the id of a read round is never used again", ""),
}

# Mutants of storage are switches in tests/sim/node.cpp and name no rule there.
STORAGE_MUTANTS = {
    "vote-not-persisted": 12, "applied-index-not-in-batch": 13, "sync-lies": 12,
    "epoch-not-raised": 4, "wiped-node-keeps-id": 1, "checkpoint-index-from-memory": 13,
    "installed-state-not-synced": 14,
}
UNNAMED_MUTANTS = {"reader-clock-unlimited": 43}  # of the headers
MUTANT = re.compile(r"^\s*k([A-Z]\w*),\s*//(.*)$", re.M)

# What broke elsewhere: (group, finding in our words, tests by rule or part of a name, waits for)
HAZARDS = [
    ("Redis-Raft", "a request that re-enters is repeated for ever",
     ["test_every_command_is_applied_once_on_every_node"], ""),
    ("Redis-Raft", "followers log and do not apply",
     ["test_every_command_is_applied_once_on_every_node", "test_all_nodes_killed_at_once"], ""),
    ("Redis-Raft", "an island removes members and commits alone", ["F18_island"], ""),
    ("Redis-Raft", "empty or old reads right after a start",
     ["F39", "test_three_restarted_nodes_never_show_an_older_list"], ""),
    ("Redis-Raft", "an error although the write was committed",
     ["test_every_error_has_a_word_that_tells_its_fate", "a write that was handed over times out"],
     ""),
    ("Redis-Raft", "replies of one client reach another; EXEC after errors",
     ["test_pipelines_of_many_connections_get_their_own_replies",
      "replies leave in the order of their commands", "test_watch_unwatch_discard"], ""),
    ("Redis-Raft", "two histories of one key",
     ["test_a_minute_of_every_nemesis", "lists: lost, doubled"], ""),
    ("Redis-Raft", "gap between snapshot and log, a panic at start",
     ["F13", "starts it anew [F14]"], ""),
    ("Redis-Raft", "a leader steps down with answers under way",
     ["read_lost_leader", "test_five_nodes_under_leader_kills_and_pauses"], ""),
    ("Redis-Raft", "who votes is wrong after a membership change",
     ["F18_add_voter", "F18_learner", "learner_has_no_vote"], ""),
    ("Redis-Raft", "crashes while the log is written",
     ["a child that dies anywhere", "test_a_log_that_cannot_be_written"], ""),
    ("Redis-Raft", "a seen write is lost, elements appear twice",
     ["test_exactly_once_while_the_leader", "counters: lost, doubled"], ""),
    ("Redis-Raft", "an append contradicts what is committed, at start",
     ["F12", "short_log", "lying_disk"], ""),
    ("Redis-Raft", "admin commands in the wrong state",
     ["test_manual_bootstrap_waits", "a change that makes no sense is refused"], ""),
    ("Redis-Raft", "schedules of single messages: term, append, torn files",
     ["random faults never break agreement", "300 seeds hold every promise", "F16"], ""),
    ("others", "a leader reads without asking", ["F36", "test_an_isolated_leader_serves_no_read"],
     ""),
    ("others", "a lock's holder is not alone after a pause",
     ["test_a_paused_leader_is_replaced", "test_concurrent_cas_loops_lose_no_update"], ""),
    ("others", "members change in a partition", ["F18_joint_new_leader", "members that come, go"],
     ""),
    ("others", "service before an entry of the own term is applied",
     ["read_before_noop", "F23_not_ready"], ""),
    ("others", "fsync is late; a cut file loses data for all",
     ["ack_waits_for_disk", "vote_waits_for_disk", "test_a_torn_tail", "test_a_flipped_byte_in_the",
      "test_a_missing_log_file"], ""),
    ("others", "an automatic retry applies twice", ["F4", "F5"], ""),
    ("others", "no end of retries; no way back for a wiped node",
     ["test_without_a_majority_writes_and_reads_are_refused_in_time",
      "test_a_wiped_node_comes_back_by_itself"], ""),
    ("others", "local reads without order", ["F36", "registers: a stale read is found"], ""),
    ("others", "reads of what is not committed",
     ["nothing is acknowledged while the only disk", "a leader cut off answers no read"], ""),
    ("determinism", "clocks and TTL", ["F8", "F9", "F37"], ""),
    ("determinism", "random commands", ["random commands of one entry draw"], ""),
    ("determinism", "scripts", [], "scripts"),
    ("determinism", "blocking commands", [], "blocking commands"),
    ("determinism", "WATCH over a change of leader", ["test_watch_holds_across_a_leader_change"],
     ""),
    ("determinism", "retries and duplicates", ["a batch is applied iff it is the next one"], ""),
    ("determinism", "INCR sent again by the client is unknown, and says so", ["F5"], ""),
    ("determinism", "half of a MULTI", ["test_multi_queued_before_a_leader_kill", "a block sees its"],
     ""),
    ("determinism", "executed before it is replicated", ["test_concurrent_cas_loops", "F23_not_ready"],
     ""),
    ("determinism", "floating point", ["floats are written without an exponent"], ""),
    ("determinism", "SCAN cursors", ["F33"], ""),
    ("determinism", "order of KEYS and SMEMBERS", ["test_random_commands_get_the_same_bytes"], ""),
    ("determinism", "users and passwords", [], "ACLs"),
    ("determinism", "options that change results", ["F35"], ""),
    ("determinism", "publish and subscribe", [], "publish/subscribe"),
    ("determinism", "eviction", [], "eviction, which does not exist"),
    ("determinism", "versions side by side",
     ["an entry of an unknown kind or version", "foreign formats and types are refused"], ""),
    ("determinism", "replicas differ and nobody sees it",
     ["the checksum tells different histories apart", "300 seeds hold every promise"], ""),
]


@dataclass(frozen=True)
class Test:
    file: str
    name: str
    rules: frozenset


def rules_in(text):
    return frozenset(int(number) for number in RULE.findall(text))


def doctests(path, text):
    for match in CASE.finditer(text):
        name = match[1] + "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match[2]))
        yield Test(path, name.removeprefix(": "), rules_in(" ".join(re.findall(r"\[[^\]]*\]", name))))


def trace(path, text):
    stem = os.path.basename(path).removesuffix(".trace")
    comments = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comments.append(line)
    return Test(path, stem, rules_in(stem.replace("_", " ") + " " + " ".join(comments)))


def pytests(path, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Test(path, node.name, rules_in(ast.get_docstring(node) or ""))


def all_tests(root=ROOT):
    tests = []
    for folder, _, names in sorted(os.walk(os.path.join(root, "tests"))):
        for name in sorted(names):
            full = os.path.join(folder, name)
            path = os.path.relpath(full, root)
            if not name.endswith((".cpp", ".hpp", ".trace", ".py")):
                continue
            with open(full, encoding="utf-8") as file:
                text = file.read()
            if name.endswith(".trace"):
                tests.append(trace(path, text))
            elif name.endswith(".py"):
                tests += pytests(path, text) if name.startswith("test_") else []
            else:
                tests += doctests(path, text)
    return tests


def rule_mutants(root=ROOT):
    """{rule: names of the mutants that break it}"""
    found = {}
    for name, number in (STORAGE_MUTANTS | UNNAMED_MUTANTS).items():
        found.setdefault(number, []).append(name)
    for header in ("raft/mutants.hpp", "resp/mutants.hpp"):
        with open(os.path.join(root, header), encoding="utf-8") as file:
            for name, words in MUTANT.findall(file.read()):
                kebab = re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()
                for number in rules_in(words):
                    found.setdefault(number, []).append(kebab)
    return found


def catch_of(mutant, catches):
    """The first test or seed that tests/MUTANTS.md knows, in short."""
    by_tests, by_seed = catches.get(mutant, ("-", "-"))
    if re.match(r"\d+: ", by_tests):
        return re.sub(r"\s*\[[^\]]*\]", "", by_tests.split(": ", 1)[1])
    if re.match(r"\d+: ", by_seed):
        return f"simulation, {by_seed.split(': ', 1)[1]}"
    return "not measured yet"


def what_fails(number, all_mutants, changes, catches):
    parts = [f"{change.words}: {change.test}" for change in changes if change.rule == number]
    parts = [re.sub(r"\s*\[[^\]]*\]", "", part) for part in parts]
    parts += [f"mutant `{mutant}`: {catch_of(mutant, catches)}"
              for mutant in all_mutants.get(number, [])[:SHOWN]]
    return [part.replace("|", "\\|") for part in parts]


def named(tests, key):
    if re.fullmatch(r"F\d+", key):
        return [test for test in tests if int(key[1:]) in test.rules]
    return [test for test in tests if key in test.name]


def shown(tests):
    """The first of each file, then others, until the row is full."""
    order, seen = [], set()
    for test in tests:
        if test.file not in seen:
            seen.add(test.file)
            order.append(test)
    order += [test for test in tests if test not in order]
    parts = []
    for test in order[:SHOWN]:
        name = re.sub(r"\s*\[[^\]]*\]", "", test.name).replace("|", "\\|")
        parts.append(f"`{test.file.removeprefix('tests/')}`: {name}")
    if len(order) > SHOWN:
        parts.append("and more")
    return "<br>".join(parts)


def build(tests):
    """(the page, what is wrong)"""
    changes = broken.recorded()
    wrong = list(broken.wrong(changes, tests))
    all_mutants, catches = rule_mutants(), mutants.recorded()
    lines = ["# Rules, hazards and the tests that stand for them", "",
             "Written by `scripts/lib/rules.py` from the names of the tests, `tests/MUTANTS.md` and",
             "`tests/broken_rules.txt`; a test checks that it is true. A rule that concerns what exists",
             "has a test, and a change that breaks it, which was made and watched, or that test fails.",
             "", "| rule | what it is about | tests | what fails when it is broken |",
             "|---|---|---|---|"]
    for number, (title, waits) in RULES.items():
        found = named(tests, f"F{number}")
        fails = what_fails(number, all_mutants, changes, catches)
        if not found and not waits:
            wrong.append(f"F{number} ({title}) has no test")
        if not fails and not waits:
            wrong.append(f"F{number} ({title}): nobody saw a test fail when it is broken")
        lines.append(f"| F{number} | {title} | "
                     + (shown(found) if found else f"waits for {waits}") + " | "
                     + "<br>".join(fails) + " |")
    lines += ["", "| where it happened | what broke | tests |", "|---|---|---|"]
    for where, title, keys, waits in HAZARDS:
        found = []
        for key in keys:
            matches = named(tests, key)
            if not matches:
                wrong.append(f"'{title}' names the test '{key}', which does not exist")
            found += [test for test in matches if test not in found]
        if not found and not waits:
            wrong.append(f"'{title}' has no test")
        lines.append(f"| {where} | {title} | "
                     + (shown(found) if found else f"waits for {waits}") + " |")
    unknown = sorted({n for test in tests for n in test.rules} - set(RULES))
    wrong += [f"a test names F{number}, which is no rule" for number in unknown]
    return "\n".join(lines) + "\n", wrong


def stale(page, tests):
    """What the page says and the tests do not. New tests make no row wrong."""
    existing = {shown([test]) for test in tests}
    for line in page.splitlines():
        cells = re.split(r"(?<!\\) \| ", line.strip("| "))
        for entry in cells[2].split("<br>") if len(cells) >= 3 else ():
            if entry.startswith("`") and entry not in existing:
                yield f"{TABLE} names {entry}, which is gone: run scripts/lib/rules.py"


def main(arguments):
    tests = all_tests()
    page, wrong = build(tests)
    path = os.path.join(ROOT, TABLE)
    if "--check" in arguments:
        with open(path, encoding="utf-8") as file:
            wrong += stale(file.read(), tests)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
    print("\n".join(wrong) if wrong else f"{len(RULES)} rules, {len(HAZARDS)} hazards")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
