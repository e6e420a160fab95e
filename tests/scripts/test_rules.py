"""scripts/lib/rules.py: the table of rules is true, and says what is missing."""
import pathlib
import re

import broken
import lint_includes
import rule_texts
import rules

ROOT = pathlib.Path(rules.ROOT)


def test_every_rule_and_hazard_that_concerns_what_exists_has_a_test():
    _, wrong = rules.build(rules.all_tests())
    assert wrong == []


def test_the_table_in_the_tree_names_tests_that_exist():
    tests = rules.all_tests()
    page = (ROOT / rules.TABLE).read_text()
    assert list(rules.stale(page, tests)) == []
    for number, rule in rules.RULES.items():
        assert f'<a id="f{number}"></a>\n### F{number} {rule.title}\n\n**Wrong.** {rule.wrong}' in page
    gone = [test for test in tests if test.name != "F12_persist_tokens"]
    assert len(list(rules.stale(page, gone))) >= 1


def test_a_rule_without_a_test_and_a_test_without_a_rule_are_named():
    tests = [test for test in rules.all_tests() if 12 not in test.rules]
    _, wrong = rules.build(tests + [rules.Test("tests/x.cpp", "x", frozenset({77}))])
    assert any(line.startswith("F12 ") for line in wrong)
    assert "a test names F77, which is no rule" in wrong


TEXT = """# Weather

## F7 Rain falls
Wrong: It rose,
and nothing grew.
Rule: Down.
Code: src/sky.cpp, src/sea.cpp

## F8 Snow
Rule: Also down.
Waits for: winter
"""


def test_the_texts_of_the_rules_are_read_and_held_against_the_tree(tmp_path):
    rain, snow = rule_texts.parse(TEXT, "weather.md")
    assert (rain.number, rain.title, rain.subject) == (7, "Rain falls", "Weather")
    assert (rain.wrong, rain.rule) == ("It rose, and nothing grew.", "Down.")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/sky.cpp").write_text("")
    assert list(rain.problems(tmp_path)) == ["weather.md:3: F7 names src/sea.cpp, which does not exist"]
    assert list(snow.problems(tmp_path)) == ["weather.md:9: F8 has no 'Wrong:'"]
    assert sorted(rules.RULES) == list(range(1, len(rules.RULES) + 1)), "a number is never left out"


def test_hazards_name_their_tests():
    hazard, waiting = rule_texts.parse_hazards("# x\nhere: one: two\n  F3\n  a test\nthere: x\n"
                                               "  waits for it\n")
    assert (hazard.place, hazard.finding, hazard.tests) == ("here", "one: two", ["F3", "a test"])
    assert (waiting.tests, waiting.waits) == ([], "it")


CHANGE = """# words

F7: rain falls upwards
  in src/sky.cpp
  -  down();
  +  up();
  +  up();
  in src/sky.hpp
  -int gravity;
  +
  test sky_tests: drops land, all of them [F7]
  says ERROR: CHECK( wet )
"""


def test_a_rule_of_which_nobody_saw_a_test_fail_is_named(monkeypatch):
    tests = rules.all_tests()
    monkeypatch.setattr(broken, "recorded", lambda: [])
    _, wrong = rules.build(tests)
    assert any(line.startswith("F2 (") and "nobody saw" in line for line in wrong)
    assert not any(line.startswith("F19 (") for line in wrong), "a mutant is enough"


def test_named_changes_are_read_and_held_against_the_tree(tmp_path):
    change, = broken.parse(CHANGE)
    assert (change.rule, change.program, change.says) == (7, "sky_tests", "ERROR: CHECK( wet )")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/sky.cpp").write_text("{\n  down();\n}\n")
    (tmp_path / "src/sky.hpp").write_text("int gravity;\n")
    assert change.pieces[0].change("{\n  down();\n}\n") == "{\n  up();\n  up();\n}\n"
    tests = [rules.Test("tests/sky_test.cpp", "drops land, all of them [F7] [F9]", frozenset({7}))]
    assert list(broken.wrong([change], tests, tmp_path)) == []
    (tmp_path / "src/sky.cpp").write_text("down(); down();")
    gone = list(broken.wrong([change], [], tmp_path))
    assert len(gone) == 2 and "0 times in src/sky.cpp" in gone[0] and "no test" in gone[1]


def test_a_named_change_is_undone_whatever_happens(tmp_path, monkeypatch):
    change, = broken.parse(CHANGE)
    monkeypatch.setattr(broken, "ROOT", str(tmp_path))
    (tmp_path / "src").mkdir()
    (tmp_path / "src/sky.cpp").write_text("  down();")
    (tmp_path / "src/sky.hpp").write_text("int gravity;")
    seen = []

    def run_test(_):
        seen.append((tmp_path / "src/sky.cpp").read_text())
        return 1, "x\nsky.cpp:1: ERROR: CHECK( wet )\n"
    monkeypatch.setattr(broken, "run_test", run_test)
    assert broken.run(change) == (True, "sky.cpp:1: ERROR: CHECK( wet )")
    for code, failed in ((0, False), (1, True), (2, False), (5, False)):
        change.program = "pytest"
        monkeypatch.setattr(broken, "run_test", lambda _, code=code: (code, "no tests ran"))
        assert broken.run(change)[0] is failed
    monkeypatch.setattr(broken, "run_test", lambda _: 1 / 0)
    try:
        broken.run(change)
    except ZeroDivisionError:
        pass
    assert seen == ["  up();\n  up();"]
    assert (tmp_path / "src/sky.cpp").read_text() == "  down();"


def test_mutants_name_their_rules_where_they_are_declared():
    found = rules.rule_mutants()
    assert "commit-by-last-index" in found[19] and "vote-not-persisted" in found[12]
    known = {name for names in found.values() for name in names}
    for mutant in rules.STORAGE_MUTANTS:
        assert mutant in known
        assert f'"{mutant}"' in "".join(path.read_text() for path in (ROOT / "tests/sim").glob("*.cpp"))


def test_names_are_read_from_cases_traces_and_functions():
    case = 'TEST_CASE(\n    "one thing "\n    "and another [F3] [§4, F12]") {'
    assert [(t.name, t.rules) for t in rules.doctests("a.cpp", case)] == [
        ("one thing and another [F3] [§4, F12]", {3, 12})]
    read = rules.trace("tests/raft/traces/F9_x.trace", "# F8: y\n# z\ncluster 3\n# F7\n")
    assert (read.name, read.rules) == ("F9_x", {8, 9})
    assert [t.rules for t in rules.pytests("t.py", 'def test_a():\n    """[F5]"""\n')] == [{5}]


def test_what_is_executed_at_apply_reaches_no_option_and_no_clock():
    """[F35] Executor, database, and every command that a log entry may hold."""
    handler = re.compile(r"^void \w+\(Context&", re.M)  # a DataHandler
    commands = [path for path in ROOT.glob("resp/commands/*.cpp") if handler.search(path.read_text())]
    starts = [*ROOT.glob("resp/executor*.cpp"), *ROOT.glob("resp/types/**/*.cpp"), *commands]
    assert len(commands) > 30
    for start in starts:
        seen, ahead = {}, [start]
        while ahead:
            path = ahead.pop()
            if path in seen or not path.exists():
                continue
            seen[path] = path.read_text()
            for _, ours, system in lint_includes.includes_of(seen[path]):
                assert system not in ("chrono", "random", "ctime", "time.h"), f"{path}: <{system}>"
                if ours:
                    ahead.append(ROOT / ours)
        reached = {str(path.relative_to(ROOT)) for path in seen}
        assert not reached & {"config/options.hpp", "resp/node_context.hpp"}, f"{start} reaches them"
