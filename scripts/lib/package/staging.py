"""The tree that dpkg-buildpackage gets: debian/, and what is installed, in built/."""
import email.utils
import importlib
import os
import re
import shutil

from package import completion, manuals, tables

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
DEBIAN = os.path.join(ROOT, "config", "package", "debian")
# The tools call each other by the names that they have in the tree.
NAMES = re.compile(r"scripts/(backup|bench|cluster)(?![\w/.])")
TOOL_FILES = ("backup.py", "certificates.py", "cluster.py", "cluster_console.py", "cluster_doctor.py",
              "cluster_members.py", "cluster_model.py", "cluster_top.py", "cluster_view.py", "common.sh",
              "processes.py", "progress.py", "resp.py")
SUMMARIES = {"kiwi-backup": "copy of the data of a Kiwi node that runs",
             "kiwi-bench": "measures Kiwi beside Redis and etcd",
             "kiwi-cluster": "Kiwi cluster on one machine"}
WRAPPER = """\
#!/bin/sh
set -e
export KIWI_SERVER="${KIWI_SERVER:-/usr/bin/kiwi-server}"
export KIWI_RUN_DIR="${KIWI_RUN_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/kiwi}"
export KIWI_CLUSTER_DIR="${KIWI_CLUSTER_DIR:-$KIWI_RUN_DIR/cluster}"
export KIWI_BUILD_DIR="${KIWI_BUILD_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/kiwi}"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/usr/share/kiwi/scripts/lib
exec /usr/bin/python3 -P -m MODULE "$@"
"""


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def write(text, *parts, mode=0o644):
    path = os.path.join(*parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def installed_names(text):
    return NAMES.sub(r"kiwi-\1", text)


def command_rows():
    folder = os.path.join(ROOT, "resp", "commands")
    return [row for name in sorted(os.listdir(folder)) if name.endswith(".def") and name != "internal.def"
            for row in tables.commands(read("resp", "commands", name))]


def tool_words():
    """name -> (what --help says, its commands)."""
    backup, cluster = importlib.import_module("backup"), importlib.import_module("cluster")
    bench = importlib.import_module("bench.__main__")
    return {"kiwi-backup": (installed_names(backup.HELP), ()),
            "kiwi-bench": (installed_names(bench.help_text()), tuple(bench.MEASUREMENTS)),
            "kiwi-cluster": (installed_names(cluster.HELP), tuple(cluster.COMMANDS))}


def pages(version, date):
    """file name -> text of every manual page."""
    table, conf = read("config", "options.def"), read("config", "kiwi.conf")
    made = {"kiwi-server.8": manuals.server(version, date),
            "kiwi.conf.5": manuals.configuration(version, date, table, conf),
            "kiwi-commands.7": manuals.commands(version, date, command_rows())}
    for name, (text, _) in tool_words().items():
        made[f"{name}.1"] = manuals.tool(name, version, date, SUMMARIES[name], text)
    return made


def completions():
    made = {"kiwi-server": completion.server(read("config", "options.def"), read("config", "kiwi.conf"))}
    for name, (text, commands) in tool_words().items():
        made[name] = completion.tool(name, text, commands)
    return made


def stage_tools(built):
    lib = os.path.join(ROOT, "scripts", "lib")
    for where, folders, names in os.walk(lib):
        folders[:] = [name for name in folders if name == "bench"]
        for name in names:
            if where != lib or name in TOOL_FILES:
                path = os.path.relpath(os.path.join(where, name), lib)
                if not name.endswith((".md", ".pyc")):
                    write(installed_names(read("scripts", "lib", path)), built, "tools", "scripts", "lib", path)
    for name, module in (("kiwi-backup", "backup"), ("kiwi-bench", "bench"), ("kiwi-cluster", "cluster")):
        write(WRAPPER.replace("MODULE", module), built, "tools", "bin", name, mode=0o755)


def maintainer():
    """Whoever gives the packages to others says who they are, as for all of Debian's tools."""
    name = os.environ.get("DEBFULLNAME") or "The Kiwi developers"
    return f"{name} <{os.environ.get('DEBEMAIL') or 'kiwi@packages.invalid'}>"


def changelog(version, seconds):
    return (f"kiwi ({version}) unstable; urgency=medium\n\n"
            "  * Built from the tree, whose CHANGELOG.md says what is new.\n\n"
            f" -- {maintainer()}  {email.utils.formatdate(seconds)}\n")


def stage(directory, server, version, date, seconds):
    """Fills a new directory. seconds: the time that all files get, so that packages can be made again."""
    built = os.path.join(directory, "built")
    shutil.copytree(DEBIAN, os.path.join(directory, "debian"))
    write(changelog(version, seconds), directory, "debian", "changelog")
    control = re.sub("^Maintainer: .*$", lambda _: f"Maintainer: {maintainer()}",
                     read("config", "package", "debian", "control"), flags=re.M)
    write(control, directory, "debian", "control")
    os.makedirs(built)
    shutil.copy(server, os.path.join(built, "kiwi-server"))
    os.chmod(os.path.join(built, "kiwi-server"), 0o755)
    for name, text in pages(version, date).items():
        write(text, built, "man", name)
    for name, text in completions().items():
        write(text, built, "completion", name)
    for name in ("README.md", "RETRIES.md"):  # debhelper would take a change log for Debian's own
        write(read(name), built, "doc", name)
    write(read("config", "kiwi.conf"), built, "examples", "kiwi.conf")
    for folder in ("prometheus", "grafana"):
        shutil.copytree(os.path.join(ROOT, "config", folder), os.path.join(built, "examples", folder))
    shutil.copytree(os.path.join(ROOT, "config", "package", "kubernetes"),
                    os.path.join(built, "examples", "kubernetes"))
    stage_tools(built)
