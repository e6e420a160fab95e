"""scripts/lib/mutants.py and coverage.py: what they read from the output of others."""
import coverage
import mutants

OUTPUT = """doctest
===============================================================================
tests/raft/traces.cpp:70:
TEST CASE:  every trace prints exactly what its file says

tests/raft/traces.cpp:92: ERROR: F12_persist_tokens.trace: expected
  logged: path.filename().string() := F12_persist_tokens.trace
tests/raft/traces.cpp:92: ERROR: election.trace: expected
===============================================================================
tests/raft/core_test.cpp:9:
TEST CASE:  a thing holds [F3]

tests/raft/core_test.cpp:12: FATAL ERROR: REQUIRE( false ) is NOT correct!
===============================================================================
tests/raft/core_test.cpp:30:
TEST CASE:  only talks

tests/raft/core_test.cpp:31: MESSAGE: x.trace
===============================================================================
[doctest] test cases: 3
"""


def test_failing_cases_and_traces_are_named():
    assert mutants.failing_cases(OUTPUT) == ["F12_persist_tokens.trace", "election.trace",
                                             "a thing holds [F3]"]


def test_a_crash_inside_the_traces_is_told_as_one():
    crash = ("=" * 79 + "\nTEST CASE:  " + mutants.TRACES
             + "\n\nFATAL ERROR: test case CRASHED: SIGABRT\n")
    assert mutants.failing_cases(crash) == [mutants.TRACES]


def test_the_check_that_caught_a_seed_is_told_in_short():
    assert mutants.short("check 'exactly once'") == "exactly once"
    assert mutants.short("seed 3 broke a CHECK") == "an invariant of the code"
    assert mutants.short("") == "it ends without a word"


def test_rows_are_read_back(tmp_path, monkeypatch):
    table = tmp_path / "MUTANTS.md"
    table.write_text(mutants.HEAD + "| raft | a-bug | S0 | 2: x.trace | 7: exactly once |\n")
    monkeypatch.setattr(mutants, "TABLE", str(table))
    assert mutants.recorded() == {"a-bug": ("2: x.trace", "7: exactly once")}


def test_one_bug_measured_again_changes_its_row_only(tmp_path, monkeypatch):
    rows = {name: f"| raft | {name} | S0 | 2: x.trace | 7: exactly once |" for name in "ab"}
    table = tmp_path / "MUTANTS.md"
    table.write_text(mutants.HEAD + rows["a"] + "\n" + rows["b"] + "\n| raft | gone | S1 | - | - |\n")
    monkeypatch.setattr(mutants, "TABLE", str(table))
    build = mutants.Build(str(tmp_path))
    monkeypatch.setattr(build, "bugs", lambda: [("raft", name, "S0") for name in "abc"])
    new = {"b": rows["b"].replace("7:", "3:"), "c": rows["b"].replace("| b |", "| c |")}
    mutants.write_table(build, [*new.values()])
    assert table.read_text() == mutants.HEAD + "\n".join([rows["a"], new["b"], new["c"]]) + "\n"


def test_lines_that_nothing_ran_are_told_in_runs():
    assert coverage.runs_of([3, 4, 5, 9]) == [[3, 5], [9, 9]]
