"""The console: what its port refuses, and the page in a headless Chromium against a cluster through the death
of a leader, with hostile names of keys. KIWI_SCREENSHOTS=directory keeps pictures."""
from __future__ import annotations

import http.client
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from support import browser, web
from support.resp import encode
from support.waiting import wait_until

HOSTILE = [b"<img src=x onerror=alert(1)>", b"<script>document.title='owned'</script>",
           b"'\"><b>bold</b>", b"a\r\nb", b"\xff\xfe\x00", "\u202egnp.exe".encode(),
           b"${7*7}{{7*7}}", b"javascript:alert(1)"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
needs_browser = pytest.mark.skipif(browser.why_not() is not None, reason=str(browser.why_not()))


class Login:
    """A page without a browser."""

    def __init__(self, node, password: str | None = None, user: str = "default"):
        self.node, self.cookie, self.token = node, "", ""
        code, said = self.ask("POST", "/api/login", encode(user, password or ""))
        self.code = code
        if code == 200:
            self.token = said["token"]

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str | None):
        own = {"Origin": f"http://{self.node.host}:{self.node.web_port}",
               "X-Kiwi-Token": self.token, "Cookie": self.cookie}
        own |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.node.host, self.node.web_port, timeout=20)
        try:
            connection.request(method, path, body,
                               {name: value for name, value in own.items() if value})
            answer = connection.getresponse()
            text = answer.read().decode()
            cookie = answer.getheader("Set-Cookie")
            if cookie:
                assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
                self.cookie = cookie.split(";")[0]
            return answer.status, json.loads(text) if text.startswith("{") else text
        finally:
            connection.close()

    def command(self, *words, **headers):
        return self.ask("POST", "/api/command?db=0", encode(*words), **headers)


def test_reads_are_answered_and_changes_only_when_unlocked(shared):
    login = Login(shared.nodes[0])
    assert login.code == 200
    assert login.command("GET", "console:none") == (200, {"reply": None})
    assert login.command("SET", "console:1", "x")[0] == 423
    assert login.command("FLUSHALL")[0] == 423 and login.command("SHUTDOWN")[0] == 423
    assert login.command("EVAL", "return redis.call('set', 'console:1', 'x')", 0)[0] == 423
    assert shared.nodes[1].call("EXISTS", "console:1") == 0
    assert login.ask("POST", "/api/unlock", encode(""))[0] == 200
    assert login.command("SET", "console:1", b"\xff\r\n") == (200, {"reply": "OK"})
    assert login.command("GET", "console:1") == (200, {"reply": {"hex": "ff0d0a"}})
    assert shared.nodes[1].call("GET", "console:1") == b"\xff\r\n"
    assert login.command("SUBSCRIBE", "c")[0] == 422 and login.command("BLPOP", "k", 0)[0] == 422
    assert "error" in login.command("LPUSH", "console:1", "x")[1]["reply"]
    assert login.ask("DELETE", "/api/unlock")[0] == 200
    assert login.command("DEL", "console:1")[0] == 423
    code, state = login.ask("GET", "/api/state")
    assert code == 200 and state["id"] == 1 and len(state["members"]) == 3
    assert state["leader"] == shared.wait_leader().id


def test_attacks_are_refused(shared):
    node = shared.nodes[0]
    login = Login(node)
    own = f"{node.host}:{node.web_port}"
    for headers, code in [
            ({"Origin": "http://evil.example"}, 403), ({"Origin": None}, 403),
            ({"Origin": "null"}, 403), ({"Origin": f"http://{node.host}:{node.web_port + 1}"}, 403),
            ({"X_Kiwi_Token": None}, 403), ({"X_Kiwi_Token": "0" * 32}, 403), ({"Cookie": None}, 401),
            ({"Cookie": login.cookie[:-1] + ("0" if login.cookie[-1] != "0" else "1")}, 401),
            ({"Host": "evil.example"}, 421),
            ({"Host": "evil.example", "Origin": "http://evil.example"}, 421)]:
        assert login.command("GET", "k", **headers)[0] == code, headers
    assert login.command("GET", "k")[0] == 200
    connection = http.client.HTTPConnection(node.host, node.web_port, timeout=10)
    connection.request("GET", "/", headers={"Host": own})
    page = connection.getresponse()
    page.read()
    assert page.status == 200
    policy = page.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and page.getheader("X-Frame-Options") == "DENY"
    assert page.getheader("X-Content-Type-Options") == "nosniff"
    connection.close()
    for path in ("/console/../main.js", "/console/%2e%2e/x", "/console/", "/api/", "/api/../metrics"):
        assert login.ask("GET", path)[0] == 404, path


def test_a_login_may_what_its_user_may(make_cluster):
    node = make_cluster(1, peers=False, options={"requirepass": "right"}).nodes[0]
    with node.connect() as connection:
        connection.must("AUTH", "right")
        # Users can be changed when those of the options are in the cluster's data.
        wait_until(lambda: connection.call("ACL", "SETUSER", "narrow", "on", ">pw", "+get", "+set",
                                           "~k") == "OK", 20, "the user to be set")
    login = Login(node, "pw", user="narrow")
    assert login.code == 200 and login.command("GET", "k") == (200, {"reply": None})
    assert login.ask("GET", "/api/state")[0] == 403
    assert login.ask("POST", "/api/unlock", encode("pw"))[0] == 200
    assert login.ask("POST", "/api/drain")[0] == 403
    assert web.status(node, "/readyz") == 200
    # It may not select: the command must not run where it is.
    code, said = login.ask("POST", "/api/command?db=3", encode("SET", "k", "v"))
    assert code == 200 and "NOPERM" in said["reply"]["error"]
    assert login.command("GET", "k") == (200, {"reply": None})
    assert login.command("SET", "k", "v") == (200, {"reply": "OK"})


def test_guessing_a_password_has_an_end(make_cluster):
    node = make_cluster(1, peers=False, options={"requirepass": "right"}).nodes[0]
    assert Login(node).code == 401
    codes = [Login(node, "wrong").code for _ in range(12)]
    assert set(codes) == {401, 429} and codes[-1] == 429
    assert Login(node, "right").code == 429
    assert node.call("PING") == "PONG"


def test_a_password_is_needed_and_enough(make_cluster):
    node = make_cluster(1, peers=False, options={"requirepass": "right"}).nodes[0]
    login = Login(node, "right")
    assert login.code == 200 and login.command("PING") == (200, {"reply": "PONG"})
    assert login.ask("POST", "/api/unlock", encode("wrong"))[0] == 401
    assert login.command("SET", "k", "v")[0] == 423
    assert login.ask("POST", "/api/unlock", encode("right"))[0] == 200
    assert login.command("SET", "k", "v")[0] == 200


def test_a_console_connection_is_a_client(shared):
    node = shared.nodes[0]
    login = Login(node)
    listed = node.call("CLIENT", "LIST").decode()
    mine = [line for line in listed.splitlines() if "laddr=console" in line]
    assert mine, listed
    number = mine[-1].split()[0].removeprefix("id=")
    assert node.call("CLIENT", "KILL", "ID", number) == 1
    wait_until(lambda: login.command("PING")[0] in (401, 502), 10, "the login to end with it")


def test_without_console_there_are_metrics(make_cluster):
    node = make_cluster(1, peers=False, options={"http-console": "no"}).nodes[0]
    assert web.status(node, "/") == 404 and web.status(node, "/console/main.js") == 404
    assert Login(node).code == 404
    assert web.status(node, "/metrics") == 200 and web.status(node, "/readyz") == 200


def test_a_node_with_a_console_open_ends(make_cluster):
    cluster = make_cluster(1, peers=False)
    login = Login(cluster.nodes[0])
    assert login.command("PING")[0] == 200
    began = time.monotonic()
    assert cluster.nodes[0].terminate() == 0
    assert time.monotonic() - began < 5


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here (Debian: nodejs)")
def test_what_the_page_computes():
    done = subprocess.run(["node", "console_parts.mjs", str(ROOT / "resp" / "web" / "console")],
                          cwd=pathlib.Path(__file__).parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- the page

def shot(window, name: str) -> None:
    folder = os.environ.get("KIWI_SCREENSHOTS")
    if folder:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        window.screenshot(pathlib.Path(folder) / f"{name}.png")


def enter(window, node) -> None:
    window.open(f"http://{node.host}:{node.web_port}/")
    window.wait_text("The cluster, as this node sees it")


def unlock(window) -> None:
    window.press("read only")
    window.press("unlock")
    window.wait_text("changes unlocked")


@needs_browser
def test_the_page_follows_a_change_of_leader(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    node = cluster.followers()[0]
    with browser.Browser() as window:
        enter(window, node)
        window.wait_text(f"node {leader.id}")
        wait_until(lambda: window.run("return document.querySelector('.node.leader')?.dataset.node")
                   == str(leader.id), 10, "the leader to be drawn")
        shot(window, "healthy")
        leader.kill()
        wait_until(lambda: window.run(
            "return document.querySelector(`.node.lost`)?.dataset.node") == str(leader.id),
            20, "the dead node to be drawn as lost")
        second = cluster.wait_leader(among=[n for n in cluster.nodes if n is not leader])
        wait_until(lambda: window.run("return document.querySelector('.node.leader')?.dataset.node")
                   == str(second.id), 20, "the new leader to be drawn")
        shot(window, "leader-killed")
        leader.start()
        wait_until(lambda: window.run("return document.querySelectorAll('.node.lost').length") == 0,
                   30, "the node to come back")
        assert window.complaints() == []


@needs_browser
def test_hostile_names_are_text(make_cluster):
    node = make_cluster(1, peers=False).nodes[0]
    with node.connect() as connection:
        for name in HOSTILE:
            connection.must("HSET", name, name, name)
        connection.must("SET", "plain", "value")
    with browser.Browser() as window:
        enter(window, node)
        window.keys("2")
        window.wait_text("9 keys")
        for number in range(9):
            window.run("document.querySelectorAll('ul.keys button')[arguments[0]].click()", number)
            window.wait_text("elements" if "plain" not in window.run(
                "return document.querySelector('[aria-current=true]').innerText") else "bytes")
        assert window.run("return document.title").startswith("Kiwi")
        assert window.run("return document.querySelectorAll('main img, main script, main b').length") == 0
        text = window.text()
        assert "<img src=x onerror=alert(1)>" in text and "\\u202egnp.exe" in text
        assert "\\xff\\xfe\\x00" in text and "a\\r\\nb" in text and "${7*7}{{7*7}}" in text
        shot(window, "keys")
        assert window.complaints() == []


@needs_browser
def test_a_key_is_deleted_only_when_unlocked_and_confirmed(make_cluster):
    node = make_cluster(1, peers=False).nodes[0]
    node.call("RPUSH", b"\xff<b>", *range(250))
    with browser.Browser() as window:
        enter(window, node)
        window.keys("2")
        window.wait_text("1 keys")
        window.run("document.querySelector('ul.keys button').click()")
        window.wait_text("250 elements")
        window.press("more")
        wait_until(lambda: window.run("return document.querySelectorAll('main tbody tr').length") == 200,
                   10, "the second page")
        window.press("delete")
        window.wait_text("Unlock changes")
        window.press("cancel")
        assert node.call("DBSIZE") == 1
        window.press("delete")
        window.press("unlock")
        window.wait_text("to go on")
        window.press("do it")
        window.wait_text("that is not the same")
        window.type("dialog input", "delete")
        window.press("do it")
        wait_until(lambda: node.call("DBSIZE") == 0, 10, "the key to go")


@needs_browser
def test_members_and_command_line(make_cluster):
    cluster = make_cluster(3)
    leader = cluster.wait_leader()
    other = cluster.followers()[0]
    with browser.Browser() as window:
        enter(window, leader)
        window.keys("3")
        window.type("input[aria-label=command]", 'SET "a\\x20b" value\ue007')
        window.wait_text("Unlock changes")
        window.press("unlock")
        window.wait_text("OK")
        assert other.call("GET", "a b") == b"value"
        window.type("input[aria-label=command]", "GET 'a b'\ue007")
        window.wait_text("value")
        window.open(f"http://{leader.host}:{leader.web_port}/")
        window.wait_text("changes unlocked")
        window.press("Members")
        window.wait_text("A new node")
        window.run("document.querySelector(`[data-member='${arguments[0]}'] button`).click()", other.id)
        window.wait_text("to go on")
        window.type("dialog input", str(other.id))
        window.press("do it")
        wait_until(lambda: cluster.wait_leader() is other, 20, "leadership to move")
        window.press("Slow")
        window.wait_text("Slow commands")
        shot(window, "slow")
        assert window.complaints() == []


@needs_browser
@pytest.mark.parametrize("width, height", [(360, 740), (1280, 900), (3840, 2160)])
def test_it_fits_a_telephone_and_a_wall(shared, width, height):
    node = shared.nodes[0]
    with browser.Browser() as window:
        window.screen(width, height)
        enter(window, node)
        for number, name in enumerate(["overview", "keys", "line", "slow", "members"], 1):
            window.run("document.activeElement.blur()")
            window.keys(str(number))
            time.sleep(0.5)
            wide = window.run("return document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{name} is {wide} px too wide"
            shot(window, f"{width}-{name}")
        window.run("document.activeElement.blur()")
        before = window.run("return document.documentElement.dataset.theme")
        window.keys("t")
        assert window.run("return document.documentElement.dataset.theme") != before
        assert window.complaints() == []
