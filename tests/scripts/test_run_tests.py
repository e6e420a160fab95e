"""scripts/test: what it counts."""
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
