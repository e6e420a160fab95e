"""scripts/package: manuals, completion, unit, entry script and manifests, without building a package."""
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest
from package import manuals, staging, tables

ROOT = pathlib.Path(staging.ROOT)
PACKAGE = ROOT / "config" / "package"
TABLE = (ROOT / "config" / "options.def").read_text()
CONF = (ROOT / "config" / "kiwi.conf").read_text()
SHOWN = tables.shown_options(TABLE, CONF)
UNIT = PACKAGE / "debian" / "kiwi-server.service"
EXPOSURE_MAX = 2.0

# ---------------------------------------------------------------- tables


def test_rows_of_every_kind_are_read():
    rows = {row.name: row for row in tables.options('''SECTION("First")
INTEGER(a, "a", 1 << (2), -1, 65535, kRuntime,
        "One, \\"two\\" "
        "and (three).")
CUSTOM(b, std::vector<X>, "b.c", (X{1, 2}), kRuntime | kHidden, "Text, with a comma.")
SECTION("Second")
ALIAS(b, X, "other", kRuntime, "The same.")
FIXED("save", "", "None.")
''')}
    assert rows["a"] == tables.Option("First", "a", {"kRuntime"}, 'One, "two" and (three).')
    assert rows["b.c"].flags == {"kRuntime", "kHidden"} and rows["b.c"].doc == "Text, with a comma."
    assert "kHidden" in rows["other"].flags and rows["other"].section == "Second"
    assert rows["save"].fixed and rows["save"].default == '""'


def test_the_table_is_read_whole_and_agrees_with_the_sample_file():
    count = len(re.findall(r"^(?:INTEGER|MEMORY|BOOLEAN|TEXT|CUSTOM|ALIAS|FIXED)\(", TABLE, re.M))
    assert len(tables.options(TABLE)) == count > 100
    names = [row.name for row in tables.options(TABLE)]
    assert len(set(names)) == len(names), "CONFIG GET would show an option twice"
    assert [row.name for row in SHOWN] == list(tables.sample(CONF))
    port = next(row for row in SHOWN if row.name == "port")
    assert (port.default, port.allowed) == ("6379", "a whole number from 0 to 65535")


def test_arguments_become_the_syntax_that_people_know():
    row = tables.commands('''WRITE(set, "set", -3, kDenyOom, kAclString, R"(
summary Set the string value of a key
group string
key RW access update | index 1 | range 0 1 0
arg key key #0
arg value string
arg condition oneof optional
  arg nx pure-token token=NX
  arg xx pure-token token=XX
arg expiration oneof optional
  arg seconds integer token=EX
arg pair block multiple
  arg field string
  arg text string
arg pattern string token=GET optional multiple multiple-token
)")
''')[0]
    assert tables.syntax(row) == ("SET key value [NX|XX] [EX seconds] field text [field text ...] "
                                  "[GET pattern [GET pattern ...]]")
    assert row.facts["summary"] == "Set the string value of a key" and row.facts["group"] == "string"

# ---------------------------------------------------------------- manuals and completion


def test_manuals_name_every_option_and_every_command():
    pages = staging.pages("1.2", "2026-12-01")
    named = set(re.findall(r"^\\fB(\S+)\\fR ", pages["kiwi.conf.5"], re.M))
    for row in tables.options(TABLE):
        shown = "kHidden" not in row.flags
        assert (manuals.escaped(row.name) in named) == shown, row.name
    containers = {row.name.split("|")[0] for row in staging.command_rows() if "|" in row.name}
    tags = set(re.findall(r"^\\fB(.*)\\fR$", pages["kiwi-commands.7"], re.M))
    for row in staging.command_rows():
        assert (manuals.escaped(tables.syntax(row)) in tags) == (row.name not in containers), row.name
    for status in ("0", "1", "2", "70", "78"):
        assert f"\n\\fB{status}\\fR\n" in pages["kiwi-server.8"]


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man")
@pytest.mark.parametrize("name", list(staging.pages("1", "2026-12-01")))
def test_manuals_are_well_formed(tmp_path, name):
    page = tmp_path / name
    page.write_text(staging.pages("1.2", "2026-12-01")[name])
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", page], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MAN_KEEP_FORMATTING": ""})
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "kiwi" in done.stdout and "scripts/" not in done.stdout


def completed(tmp_path, program, *words):
    """What bash offers for the last word."""
    (tmp_path / "completion").write_text(staging.completions()[program])
    script = '''
_init_completion() { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; cword=$COMP_CWORD; }
_filedir() { COMPREPLY=("filedir $*"); }
source "$1"; shift
function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); "$function"; printf '%s\\n' "${COMPREPLY[@]}"
'''
    done = subprocess.run(["bash", "-c", script, "bash", str(tmp_path / "completion"), program, *words],
                          capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split("\n")[:-1]


def test_completion_offers_options_values_and_files(tmp_path):
    assert completed(tmp_path, "kiwi-server", "--io-") == ["--io-engine"]
    every = set(completed(tmp_path, "kiwi-server", "--"))
    assert every >= {f"--{row.name}" for row in SHOWN} and "--import" in every
    assert completed(tmp_path, "kiwi-server", "--io-engine", "") == ["auto", "epoll", "uring"]
    assert completed(tmp_path, "kiwi-server", "--raft.log-fsync", "n") == ["no"]
    assert completed(tmp_path, "kiwi-server", "--tls-cert-file", "") == ["filedir "]
    assert completed(tmp_path, "kiwi-server", "--restore", "") == ["filedir -d"]
    assert completed(tmp_path, "kiwi-server", "") == ["filedir conf"]
    assert completed(tmp_path, "kiwi-cluster", "re") == ["remove", "restart", "resume"]
    assert completed(tmp_path, "kiwi-bench", "pu") == ["pubsub"]
    assert completed(tmp_path, "kiwi-backup", "--pa") == ["--password"]

# ---------------------------------------------------------------- unit, configuration, what is staged


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_the_unit_leaves_little_exposed():
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", UNIT], capture_output=True,
                          text=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found and float(found[1]) < EXPOSURE_MAX, done.stdout + done.stderr


def test_the_unit_knows_how_the_server_speaks_and_ends():
    text = UNIT.read_text()
    for line in ("Type=notify", "WatchdogSec=60", "ExecStart=/usr/bin/kiwi-server /etc/kiwi/kiwi.conf", "User=kiwi",
                 "ExecReload=/bin/kill -HUP $MAINPID", "Restart=on-failure"):
        assert line in text.splitlines(), line
    refused = re.search(r"constexpr int kRefused = (\d+);", (ROOT / "actors" / "node" / "main.cpp").read_text())[1]
    assert f"RestartPreventExitStatus={refused}" in text.splitlines()
    assert any(tag == refused for tag, _ in manuals.STATUSES)


def test_the_configuration_of_the_package_has_options_of_the_table():
    lines = (PACKAGE / "debian" / "kiwi.conf").read_text().splitlines()
    given = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    meant = {line.split()[1] for line in lines if re.match(r"# [a-z.-]+ [\d\"]", line)}
    assert given["dir"] == "/var/lib/kiwi/data" and {"raft.id", "raft.peers", "raft.cluster-secret"} <= meant
    assert set(given) | meant <= {row.name for row in SHOWN}
    assert given["port"] == "6379" and "127.0.0.1" in given["bind"], "what is installed is for this machine only"


def test_what_is_staged_is_whole_and_the_tools_run(tmp_path):
    server = tmp_path / "server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    staged = tmp_path / "kiwi-1.2"
    staging.stage(str(staged), str(server), "1.2", "2026-12-01", 1764547200)
    for folder in ("debian",):
        for name in ("kiwi-server", "kiwi-tools"):
            for list_ in ("install", "manpages", "docs", "examples"):
                path = staged / folder / f"{name}.{list_}"
                for line in path.read_text().splitlines() if path.exists() else ():
                    assert list(staged.glob(line.split()[0])), f"{path.name}: {line}"
    assert (staged / "debian" / "changelog").read_text().startswith("kiwi (1.2) unstable")
    for tool, module in (("kiwi-backup", "backup"), ("kiwi-cluster", "cluster"), ("kiwi-bench", "bench")):
        wrapper = staged / "built" / "tools" / "bin" / tool
        assert os.access(wrapper, os.X_OK) and f"-m {module} " in wrapper.read_text()
        done = subprocess.run(["/usr/bin/python3", "-P", "-m", module, "--help"], capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(staged / "built/tools/scripts/lib"),
                                   "PYTHONDONTWRITEBYTECODE": "1"}, cwd=tmp_path)
        assert done.returncode == 0 and "scripts/" not in done.stdout, done
    for path in (staged / "debian").glob("*.p*"):
        assert subprocess.run(["sh", "-n", path]).returncode == 0, path


def test_all_modules_that_a_tool_needs_are_staged():
    lib = ROOT / "scripts" / "lib"
    for name in staging.TOOL_FILES:
        if name.endswith(".py"):
            for module in re.findall(r"^(?:import|from) (\w+)", (lib / name).read_text(), re.M):
                assert not (lib / f"{module}.py").exists() or f"{module}.py" in staging.TOOL_FILES, (name, module)
    for path in (lib / "bench").glob("*.py"):
        for module in re.findall(r"^(?:import|from) (\w+)", path.read_text(), re.M):
            assert not (lib / f"{module}.py").exists() or f"{module}.py" in staging.TOOL_FILES, (path, module)

# ---------------------------------------------------------------- containers


def entry(*words, **variables):
    environment = {"PATH": os.environ["PATH"], "KIWI_SERVER": "/bin/echo", **variables}
    return subprocess.run([PACKAGE / "container" / "kiwi-entry", *words], capture_output=True, text=True,
                          env=environment, timeout=30)


def test_a_pod_is_the_node_that_its_ordinal_says():
    pod = {"KIWI_FOUNDERS": "3", "KIWI_DOMAIN": "kiwi-nodes"}
    first = entry("--databases", "4", KIWI_POD="kiwi-0", **pod).stdout
    peers = "1@kiwi-0.kiwi-nodes:6379,2@kiwi-1.kiwi-nodes:6379,3@kiwi-2.kiwi-nodes:6379"
    assert first.startswith("/etc/kiwi/kiwi.conf --logfile ") and first.endswith(" --databases 4\n")
    assert f"--raft.id 1 --raft.addr kiwi-0.kiwi-nodes:6379 --raft.peers {peers} " in first
    assert f"--raft.id 3 --raft.addr kiwi-2.kiwi-nodes:6379 --raft.peers {peers}" in entry(KIWI_POD="kiwi-2", **pod).stdout
    later = entry(HOSTNAME="a-b-11", KIWI_PORT="7000", **{**pod, "KIWI_FOUNDERS": "1"}).stdout
    assert "--raft.id 12 --raft.addr a-b-11.kiwi-nodes:7000 --raft.join a-b-0.kiwi-nodes:7000" in later
    assert "raft.peers" not in later and "--http-port 8000" in later
    assert "raft." not in entry().stdout, "without a cluster it is what its configuration says"


@pytest.mark.parametrize("variables", [{"KIWI_POD": "kiwi"}, {"KIWI_POD": "kiwi-01"}, {"KIWI_FOUNDERS": "0"},
                                       {"KIWI_FOUNDERS": "3x"}, {"KIWI_DOMAIN": ""}])
def test_a_pod_that_cannot_be_a_node_says_why_and_starts_nothing(variables):
    done = entry(**{"KIWI_FOUNDERS": "3", "KIWI_DOMAIN": "kiwi-nodes", "KIWI_POD": "kiwi-0", **variables})
    assert done.returncode == 78 and not done.stdout and done.stderr.startswith("kiwi-entry: "), done


@pytest.fixture
def node():
    """Answers as the HTTP port of a node would; what was asked is kept."""
    class Node(http.server.BaseHTTPRequestHandler):
        def answer(self):
            self.server.asked.append((self.command, self.path, self.headers["Host"], self.headers["Authorization"]))
            self.send_response(200 if self.path in ("/livez", "/drain") else 503)
            self.end_headers()
        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Node)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_health_and_drain_are_asked_over_http(node, tmp_path):
    port = str(node.server_port)
    login = tmp_path / "login"
    login.write_text("default:secret\n")
    assert entry("get", "/livez", KIWI_HTTP_PORT=port).returncode == 0
    assert entry("get", "/readyz", KIWI_HTTP_PORT=port).returncode != 0
    assert entry("drain", KIWI_HTTP_PORT=port, KIWI_DRAIN_SECONDS="0", KIWI_DRAIN_LOGIN=str(login)).returncode == 0
    assert node.asked == [("GET", "/livez", "localhost", None), ("GET", "/readyz", "localhost", None),
                          ("POST", "/drain", "localhost", "Basic ZGVmYXVsdDpzZWNyZXQ=")]


def test_a_node_that_does_not_answer_is_not_healthy_and_does_not_hold_up_its_end():
    assert entry("get", "/livez", KIWI_HTTP_PORT="1").returncode != 0
    done = entry("drain", KIWI_HTTP_PORT="1", KIWI_DRAIN_SECONDS="0")
    assert done.returncode == 0 and "answered none" in done.stderr


def manifests():
    yaml = pytest.importorskip("yaml")
    return {(one["kind"], one["metadata"]["name"]): one
            for one in yaml.safe_load_all((PACKAGE / "kubernetes" / "kiwi.yaml").read_text())}


def test_manifests_fit_each_other_and_the_server():
    made = manifests()
    pods = made["StatefulSet", "kiwi"]["spec"]
    box = pods["template"]["spec"]["containers"][0]
    variables = {one["name"]: one.get("value") for one in box["env"]}
    labels = pods["template"]["metadata"]["labels"]
    assert int(variables["KIWI_FOUNDERS"]) == pods["replicas"] == 3
    assert pods["serviceName"] == variables["KIWI_DOMAIN"] and pods["podManagementPolicy"] == "Parallel"
    headless = made["Service", pods["serviceName"]]["spec"]
    assert headless["clusterIP"] == "None" and headless["publishNotReadyAddresses"] is True
    budget = made["PodDisruptionBudget", "kiwi"]["spec"]
    assert budget["maxUnavailable"] == 1
    for selector in (headless["selector"], made["Service", "kiwi"]["spec"]["selector"],
                     budget["selector"]["matchLabels"], pods["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    ports = {port["name"]: port["containerPort"] for port in box["ports"]}
    assert ports == {"redis": 6379, "peers": 16379, "http": 7379}
    shell = (ROOT / "actors" / "node" / "http_shell.cpp").read_text()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert box[probe]["httpGet"]["port"] == "http" and f'"{box[probe]["httpGet"]["path"]}"' in shell
    mounted = {mount["name"] for mount in box["volumeMounts"]}
    there = {volume["name"] for volume in pods["template"]["spec"]["volumes"]} | {
        claim["metadata"]["name"] for claim in pods["volumeClaimTemplates"]}
    assert mounted == there


def test_the_configuration_of_the_pods_has_options_of_the_table():
    lines = manifests()["ConfigMap", "kiwi"]["data"]["kiwi.conf"].splitlines()
    names = {line.split()[0] for line in lines}
    assert names - {"include"} <= {row.name for row in SHOWN}
    assert {"bind", "http-bind", "dir"} <= names, "probes come from outside of the pod"
