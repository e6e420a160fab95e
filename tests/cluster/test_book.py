"""Every command of the book (docs/) does what its page shows, on real nodes, from the top of the page to its end."""
from __future__ import annotations

import pytest

from support import book
from support.processes import server_binary

PAGES = [page for page in book.pages() if book.steps(page.read_text())]
WHY_NOT = book.Shell.why_not()
needs_namespaces = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@needs_namespaces
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_can_be_followed(page, tmp_path):
    shell = book.Shell(tmp_path, server_binary())
    try:
        steps = book.steps(page.read_text())
        for number, step in enumerate(steps, 1):
            problem = shell.follow(step)
            if problem:
                _, logs = shell.run("tail -n 20 /tmp/kiwi-cluster/node-*/log")
                raise AssertionError(f"{page.name}, command {number} of {len(steps)}, {problem}\n{logs}")
        print(f"{page.name}: {len(steps)} commands")
    finally:
        shell.close()


@needs_namespaces
def test_a_page_that_lies_is_found_out(tmp_path):
    """The test can fail: wrong output, a wrong exit status, a command that is not there."""
    shell = book.Shell(tmp_path, server_binary())
    try:
        def follow(command, shown):
            return shell.follow(book.Step(1, command, shown))
        assert follow("echo one; echo two", ["one", "two"]) == ""
        assert follow("echo one; echo two", ["...", "two"]) == ""
        assert follow("echo port 6379 is open", ["port ... is open"]) == ""
        assert follow("false  # it exits with 1", []) == ""
        assert "printed\none" in follow("echo one", ["two"])
        assert "printed\none" in follow("echo one", ["one", "two"])
        assert "exit status 1" in follow("false", None)
        assert "exit status 127" in follow("no-such-command", None)
        assert "exit status 0 instead of 1" in follow("true  # it exits with 1", [])
        assert shell.run("ls /tmp")[1].split() in ([], ["pytest-of-root"]) or shell.run("cat /proc/net/tcp")[0] == 0
    finally:
        shell.close()
