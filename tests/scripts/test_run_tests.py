"""scripts/test: what it counts."""
import xml.etree.ElementTree

import run_tests

SUMMARY = "\x1b[0;36m[doctest] \x1b[0mtest cases:  7 |  {} passed | {} failed | 0 skipped\n"


def test_a_program_counts_its_cases():
    assert run_tests.program_count(0, SUMMARY.format(7, 0)) == (7, 0)
    assert run_tests.program_count(1, SUMMARY.format(5, 2)) == (5, 2)


def test_a_program_that_ends_badly_has_failed_whatever_it_said():
    assert run_tests.program_count(-11, SUMMARY.format(7, 0)) == (7, 1)
    assert run_tests.program_count(-6, "") == (0, 1)
    assert run_tests.program_count(0, "no summary") == (1, 0)


def test_a_program_that_hangs_is_ended():
    test = {"name": "x", "command": ["sleep", "60"],
            "properties": [{"name": "TIMEOUT", "value": 0.2}]}
    code, output, seconds = run_tests.run_program(test)
    assert code != 0 and "too slow or hanging" in output and seconds < 10


REPORT = """<testsuite errors="1" failures="1" skipped="1" tests="4">
  <testcase classname="tests.cluster.test_a" name="test_good" time="0.5" />
  <testcase classname="tests.cluster.test_a" name="test_bad[1]" time="7.25"><failure>x</failure></testcase>
  <testcase classname="tests.cluster.test_b" name="test_broken" time="2"><error>x</error></testcase>
  <testcase classname="tests.cluster.test_b" name="test_skipped" time="0"><skipped>x</skipped></testcase>
</testsuite>"""


def test_reports_of_pytest_are_added_up(capsys):
    count = run_tests.Count()
    for _ in range(2):
        count.add_report(xml.etree.ElementTree.fromstring(REPORT), 1)
    assert (count.passed, count.failed) == (2, 4)
    count.report()
    said = capsys.readouterr().out.splitlines()
    assert said[2].split() == ["7.2", "s", "test_a::test_bad[1]"] and said[-1] == "  test_b::test_broken"


def test_a_run_that_ends_badly_has_failed_whatever_it_reports():
    count = run_tests.Count()
    good = xml.etree.ElementTree.fromstring('<testsuite errors="0" failures="0" skipped="0" tests="3"/>')
    count.add_report(good, 3)
    assert (count.passed, count.failed) == (3, 1)
    count.add_report(good, 5)
    assert (count.passed, count.failed) == (6, 1)


def broken_beside_others(monkeypatch, alone):
    """What counts of four tests, two of which failed beside others: the report of a run of those two follows."""
    calls = []

    def run_pytest(count, folder, arguments=(), part=""):
        calls.append([folder, *arguments])
        count.add_report(xml.etree.ElementTree.fromstring(alone), 1)

    monkeypatch.setattr(run_tests, "run_pytest", run_pytest)
    count = run_tests.Count()
    count.add_report(xml.etree.ElementTree.fromstring(REPORT), 1)
    run_tests.run_broken_again(count)
    return count, calls


def test_what_fails_beside_others_is_run_again_alone_and_named(monkeypatch, capsys):
    alone = """<testsuite errors="0" failures="1" skipped="0" tests="2">
      <testcase classname="tests.cluster.test_a" name="test_bad[1]"><failure>x</failure></testcase>
      <testcase classname="tests.cluster.test_b" name="test_broken" /></testsuite>"""
    count, calls = broken_beside_others(monkeypatch, alone)
    assert calls == [["tests/cluster/test_a.py::test_bad[1]", "tests/cluster/test_b.py::test_broken"]]
    assert (count.passed, count.failed, count.broken) == (2, 1, ["test_a::test_bad[1]"])
    count.report()
    assert "passed alone" in capsys.readouterr().out and count.only_beside_others == ["test_b::test_broken"]


def test_a_second_run_that_breaks_changes_nothing(monkeypatch):
    count, _ = broken_beside_others(
        monkeypatch, '<testsuite errors="0" failures="0" skipped="0" tests="0"></testsuite>')
    assert (count.passed, count.failed) == (1, 2)
