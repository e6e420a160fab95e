"""The book (docs/) without a server: its links lead somewhere, every page is found from its first one, every alert
has a section that says what to do, its fences are of kinds that are run or looked at, and the options and files that
it names are there."""
import pathlib
import re
import sys

import pytest

import lint
import lint_citations

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cluster"))
from support import book  # noqa: E402

PAGES = {f"docs/{page.name}": page.read_text() for page in book.pages()}
FILES = lint.tree()
ALERTS = (ROOT / "config" / "prometheus" / "alerts.yml").read_text()
SPAN = re.compile(r"`((?:redis-cli|curl|kubectl|systemctl|apt-get|docker|openssl|promtool) [^`\n]+)`")
FILE = re.compile(r"(?<![\w$])((?:config|scripts|docs|tests)/[\w./-]+[\w])")


def exists(path):
    return (ROOT / path).exists()


def links_to_nothing(pages):
    return [problem for path, text in pages.items()
            for problem in lint_citations.check_markdown(path, text, FILES | pages, exists)]


def test_no_link_leads_to_nothing():
    assert links_to_nothing(PAGES | {"README.md": FILES["README.md"]}) == []


def test_a_link_to_nothing_is_found_out():
    page = "[a](gone.md) [b](sizing.md#gone) [c](sizing.md#memory) [d](#here)\n\n# Here\n"
    assert len(links_to_nothing({"docs/x.md": page})) == 2


def test_every_page_is_found_from_the_first_one():
    linked = set(re.findall(r"\]\(([\w-]+\.md)", PAGES["docs/README.md"]))
    assert linked == {pathlib.Path(page).name for page in PAGES} - {"README.md"}
    assert "(docs/README.md)" in FILES["README.md"]


def test_every_alert_names_a_section_that_says_what_to_do():
    alerts = re.findall(r"- alert: (\w+)\n", ALERTS)
    named = dict(re.findall(r'- alert: (\w+)\n(?:(?!\s*- alert)[^\n]*\n)*?\s+runbook_url: "([^"]+)"', ALERTS))
    assert len(alerts) > 20 and set(named) == set(alerts)
    sections = dict(re.findall(r"^### (\w+)\n((?:(?!#)[^\n]*\n)+)", PAGES["docs/alerts.md"], re.M))
    assert set(sections) == set(alerts)
    for alert in alerts:
        assert named[alert] == f"docs/alerts.md#{alert.lower()}"
        assert "**Do**" in sections[alert] or "**Look**" in sections[alert] or "tokens" in sections[alert], alert


@pytest.mark.parametrize("page", PAGES)
def test_fences_are_run_or_looked_at(page):
    for fence in book.fences(PAGES[page]):
        assert fence.kind in book.KINDS, f"{page}:{fence.line}: a fence of kind '{fence.kind}'"
        if fence.kind in book.RUN:
            assert fence.steps(), f"{page}:{fence.line}: no command"


def test_no_command_hides_outside_of_a_fence():
    for page, text in PAGES.items():
        outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        hidden = [span for span in SPAN.findall(outside) if "<" not in span and " " in span]
        allowed = ("kubectl scale",)
        assert [span for span in hidden if not span.startswith(allowed)] == [], page


def test_most_commands_are_run():
    fences = [fence for text in PAGES.values() for fence in book.fences(text)]
    run = sum(len(fence.steps()) for fence in fences if fence.kind in book.RUN)
    elsewhere = sum(len(fence.body) for fence in fences if fence.kind == "sh elsewhere")
    assert run > 150 and elsewhere < run / 5


def test_files_that_commands_name_are_there():
    for page, text in PAGES.items():
        for fence in book.fences(text):
            for name in FILE.findall("\n".join(fence.body) if fence.kind in ("sh", "sh elsewhere") else ""):
                assert exists(name), f"{page}: there is no {name}"


def test_options_of_configurations_are_options():
    table = (ROOT / "config" / "options.def").read_text()
    known = set(re.findall(r'"([a-z][\w.-]+)"', table))
    for page, text in PAGES.items():
        for fence in book.fences(text):
            for line in fence.body if fence.kind == "conf" else ():
                assert line.startswith("#") or line.split()[0] in known, f"{page}: no option {line}"


def test_what_a_command_shows_is_compared():
    assert book.fits(["a ... c"], "a b c\n") and not book.fits(["a ... c"], "a b d\n")
    assert book.fits(["a", "...", "c"], "a\nb\nb\nc\n") and book.fits(["a", "...", "c"], "a\nc\n")
    assert not book.fits(["a", "c"], "a\nb\nc\n") and book.fits([], "") and not book.fits([], "x\n")
    assert book.fits(["a  b"], "a b   \n")
