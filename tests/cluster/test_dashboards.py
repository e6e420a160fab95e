"""The dashboard and the alerts of config/ ask for what a node tells: every series in their expressions is
in a scrape, with the labels that they ask for; promtool takes the rules, their test and the scrape."""
from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from support import web
from support.waiting import wait_until

CONFIG = pathlib.Path(__file__).resolve().parents[2] / "config"
DASHBOARD = CONFIG / "grafana" / "kiwi.json"
ALERTS = CONFIG / "prometheus" / "alerts.yml"
PROMTOOL = shutil.which("promtool")
SERIES = re.compile(r"\b(kiwi_\w+)(\{[^}]*\})?")
BY = re.compile(r"\bby \(([^)]*)\)")
OF_PROMETHEUS = {"job", "instance", "le", "__name__"}
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool here (Debian: prometheus)")


def expressions() -> dict[str, str]:
    """Where it stands -> the expression."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = {f"{panel['title']} {target['refId']}": target["expr"]
             for panel in dashboard["panels"] for target in panel.get("targets", [])}
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found[f"variable {variable['name']}"] = variable["query"]["query"]
    for annotation in dashboard["annotations"]["list"]:
        found[f"annotation {annotation['name']}"] = annotation["expr"]
    names = re.findall(r"- alert: (\w+)\n\s+expr: (.*)", ALERTS.read_text())
    assert len(names) == ALERTS.read_text().count("- alert:")
    return found | {f"alert {name}": expression for name, expression in names}


@pytest.fixture(scope="module")
def scrapes(shared):
    """Of a cluster that did a little of everything."""
    for node in shared.nodes:
        with node.connect() as connection:
            connection.must("SET", "dashboard", "x", "EX", 100)
            connection.must("GET", "dashboard")
            connection.call("LPUSH", "dashboard", "x")
    leader = shared.wait_leader()

    def all_told():
        found = [web.metrics(node) for node in shared.nodes]
        return found if any("kiwi_peer_lag_seconds{" in s for m in found for s in m.samples) else None
    assert leader.alive()
    return wait_until(all_told, 20, "a leader to tell of its followers")


def test_every_expression_asks_for_series_that_are_there(scrapes):
    labels: dict[str, set[str]] = {}
    for scrape in scrapes:
        for series in scrape.samples:
            name, _, text = series.partition("{")
            labels.setdefault(name, set()).update(re.findall(r'(\w+)="', text))
    seen = 0
    for where, expression in expressions().items():
        asked = SERIES.findall(expression)
        assert asked or re.search(r"\bup\b", expression), where
        there = set(OF_PROMETHEUS)
        for name, selector in asked:
            assert name in labels, f"{where}: no node tells {name}"
            there |= labels[name]
            wanted = set(re.findall(r'(\w+)\s*=~?\s*"', selector)) - OF_PROMETHEUS
            assert wanted <= labels[name], f"{where}: {name} has no label {wanted - labels[name]}"
            seen += 1
        for grouped in BY.findall(expression):
            missing = {label.strip() for label in grouped.split(",")} - there
            assert not missing, f"{where}: nothing is labelled {missing}"
    assert seen > 60


def test_panels_have_places_and_ids_of_their_own():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        mine = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])}
        assert not mine & cells, panel["title"]
        cells |= mine


@needs_promtool
def test_promtool_takes_rules_and_sample_configuration():
    for words in (["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"],
                  ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run([PROMTOOL, *words], cwd=ALERTS.parent, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_finds_nothing_wrong_with_a_scrape(scrapes):
    for scrape in scrapes:
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=scrape.text,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_expressions_of_the_dashboard_are_well_formed(tmp_path):
    rules = [{"alert": f"E{number}", "expr": expression.replace("$__rate_interval", "1m")
              .replace("$job", "kiwi").replace("$instance", ".*")}
             for number, (where, expression) in enumerate(expressions().items())
             if not where.startswith("variable")]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
