"""scripts/lint: the floor of assertions in each folder."""
import lint_assertions
import pytest
from test_lint import git


def code(lines, assertions):
    return "// x\n\n" + "  CHECK_INVARIANT(a == b);\n" * assertions + "  a += b;\n" * (lines - assertions)


@pytest.mark.parametrize("line, count", [
    ("  CHECK_INVARIANT(first <= last);", 1),
    ("static_assert(sizeof(Node) == 32);", 1),
    ('    fatal("no memory");', 1),
    ('  fatal_status("reading", path, status);', 1),
    ('  hosting().fail_stop("the link ended");', 1),
    ("  bool fatal = false;", 0),
    ("  // CHECK_INVARIANT(first <= last);", 0),
    ("  step();  // which is fatal() there", 0),
    ("  CHECK(first <= last);", 0),
])
def test_what_counts_as_an_assertion(line, count):
    text = line + "\n" + "x();\n" * 999
    lines = len(lint_assertions.lines_of_code(text))
    assert lint_assertions.densities({"raft/a.cpp": text})["raft"] == pytest.approx(1000 * count / lines)


def test_comments_tests_and_other_folders_do_not_dilute():
    files = {"raft/a.hpp": code(100, 3), "raft/README.md": "x\n" * 500, "tests/raft/a.cpp": code(900, 0),
             "resp/a.cpp": code(1000, 11)}
    assert lint_assertions.densities(files) == {"raft": 30.0, "resp": 11.0}


def test_a_floor_is_kept_rises_and_never_sinks(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "scripts").mkdir()

    def problems(assertions, floor, commit=False):
        text = f"# heading\nraft {floor}\n" if floor else "# heading\n"
        (tmp_path / "scripts" / "floors.txt").write_text(text)
        if commit:
            git(tmp_path, "add", ".")
            git(tmp_path, "commit", "-qm", "x")
        return list(lint_assertions.check(tmp_path, {"raft/a.cpp": code(1000, assertions),
                                                     "scripts/floors.txt": text}))

    assert problems(18, 18, commit=True) == []
    assert "at least 18" in problems(17, 18)[0]
    assert "must not sink" in problems(17, 17)[0]
    assert "must not sink" in problems(18, None)[-1]
    assert "from 18 to 20" in problems(20, 18)[0]
    assert "from 18 to 25" in problems(40, 18)[0]
    assert problems(40, 25, commit=True) == []  # the goal: nobody asks for more
    assert "at least 25" in problems(24, 25)[0]
