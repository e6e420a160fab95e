"""Completion of the command line for bash, of the same tables."""
import re

from package import manuals, tables

# Options whose value is a file or a directory.
PATHS = re.compile(r"(^|[-.])(dir|file|aclfile|logfile|audit-log)$|-dir$|-file$")


def choices(allowed):
    """The words to choose from, if the value is one of a few: 'no, yes or local'."""
    text = allowed.replace(" or ", ", ")
    if not re.fullmatch(r"[\w-]+(, [\w-]+)+", text):
        return []
    return text.split(", ")


def server(table, conf):
    """For kiwi-server."""
    rows = tables.shown_options(table, conf)
    values = {}
    for row in rows:
        if PATHS.search(row.name):
            values.setdefault("_filedir", []).append(f"--{row.name}")
        elif words := choices(row.allowed):
            values.setdefault(" ".join(words), []).append(f"--{row.name}")
    values.setdefault("_filedir", []).append("--import")
    values.setdefault("_filedir -d", []).append("--restore")
    cases = []
    for what, names in sorted(values.items()):
        action = what if what.startswith("_filedir") else \
            f"COMPREPLY=( $( compgen -W '{what}' -- \"$cur\" ) )"
        cases.append(f"        {'|'.join(sorted(names))})\n            {action}\n            return\n            ;;\n")
    names = [name for name, _, _ in manuals.OTHERS] + [f"--{row.name}" for row in rows]
    listed = "\n            ".join(sorted(names))
    return f"""\
# bash completion for kiwi-server; made of its table of options

_kiwi_server()
{{
    local cur prev words cword
    _init_completion || return
    case "$prev" in
{"".join(cases)}    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=( $( compgen -W '
            {listed}
            ' -- "$cur" ) )
    elif [[ $cword -eq 1 ]]; then
        _filedir conf
    fi
}} &&
complete -F _kiwi_server kiwi-server
"""


def tool(name, text, commands=()):
    """For a tool whose --help begins the line of an option with it."""
    options = sorted({"--help", *re.findall(r"^ +(--[a-z][a-z-]*)", text, re.M)})
    function = "_" + name.replace("-", "_")
    first = f"""\
    elif [[ $cword -eq 1 ]]; then
        COMPREPLY=( $( compgen -W '{" ".join(sorted(commands))}' -- "$cur" ) )
""" if commands else ""
    return f"""\
# bash completion for {name}

{function}()
{{
    local cur prev words cword
    _init_completion || return
    if [[ $cur == -* ]]; then
        COMPREPLY=( $( compgen -W '{" ".join(options)}' -- "$cur" ) )
{first}    else
        _filedir
    fi
}} &&
complete -F {function} {name}
"""
