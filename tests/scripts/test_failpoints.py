"""scripts/lib/failpoints.py: every step at which a node can be let die has a test, and the table is
true."""
import pathlib

import failpoints

ROOT = pathlib.Path(failpoints.ROOT)


def test_every_failpoint_has_a_meaning_a_row_and_a_test():
    _, wrong = failpoints.build()
    assert wrong == []


def test_the_table_is_up_to_date():
    page, _ = failpoints.build()
    assert (ROOT / failpoints.TABLE).read_text() == page, "run scripts/lib/failpoints.py"


def test_a_failpoint_without_a_test_or_a_row_is_named(monkeypatch):
    there = {**failpoints.steps(), "forgotten-step": ["actors/node/node.cpp"]}
    monkeypatch.setattr(failpoints, "steps", lambda: there)
    _, wrong = failpoints.build()
    assert "forgotten-step: no row in scripts/lib/failpoints.py" in wrong
    assert "forgotten-step: no test dies there" in wrong
