"""scripts/lint: each kind of citation, once with nothing behind it."""
import lint
import lint_citations
import pytest

RULES = {23: None}
TREE = {"tests/RULES.md": '<a id="f23"></a>\n', "raft/README.md": "# raft\n\n## One turn\n",
        "README.md": "# Kiwi\n\n## What it promises, and why: `SET`\n"}


def problems(path, text):
    return list(lint_citations.check(TREE | {path: text}, RULES, exists=lambda path: False))


@pytest.mark.parametrize("path, text, words", [
    ("raft/a.cpp", "// what follows (F24)", "raft/a.cpp:1: F24 is no rule"),
    ("tests/raft/a.trace", "x\n# F99: y", "tests/raft/a.trace:2: F99 is no rule"),
    ("rocks/a.hpp", "// (DESIGN §12)", "'DESIGN §' cites a paper"),
    ("raft/a.hpp", "// (PERF.md §2)", "'PERF.md §' cites a paper"),
    ("tests/a.py", "# has a version (R S1-5)", "'R S1-5' cites a paper"),
    ("resp/a.hpp", "// until it is applied (§6.4)", "§ without the name"),
    ("actors/a.hpp", "// see CAF.md", "there is no CAF.md"),
    ("actors/a.hpp", "// raft/README.md#two-turns", "raft/README.md has no heading #two-turns"),
    ("rocks/a.cpp", "CHECK(x);  // I11", "I11 is no invariant"),
    ("resp/README.md", "text\nas always (F23)", "resp/README.md:2: a rule is a link"),
    ("resp/README.md", "as always ([F23])", "[F23] has no target"),
    ("resp/README.md", "[F23]\n\n[F23]: ../tests/RULES.md#f24", "links to tests/RULES.md#f24"),
    ("resp/README.md", "see `raft/gone.hpp`", "there is no raft/gone.hpp"),
    ("resp/README.md", "[x](../raft/CORE.txt)", "links to raft/CORE.txt, which does not exist"),
])
def test_what_resolves_to_nothing_is_named(path, text, words):
    assert any(words in problem for problem in problems(path, text))


@pytest.mark.parametrize("path, text", [
    ("raft/a.cpp", "// F23: what matches stays (§3.5)"),
    ("resp/a.cpp", "// Dissertation §6.4, F23; raft/README.md#one-turn"),
    ("resp/a.cpp", 'std::string("\\xF3 F4.x 0xF9"); // README.md#what-it-promises-and-why-set'),
    ("resp/README.md", "[F23], [one turn](../raft/README.md#one-turn), `F23`\n\n"
                       "[F23]: ../tests/RULES.md#f23"),
    ("config/README.md", "[Raft](https://raft.github.io/#x)"),
])
def test_what_stands_in_the_tree_is_silent(path, text):
    assert problems(path, text) == []


def test_the_tree_cites_nothing_that_is_not_there():
    assert list(lint_citations.check(lint.tree())) == []
