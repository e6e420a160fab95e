"""What the measurements need on this machine: options they share, Debian packages, programs that
are compiled from this folder."""

import argparse
import os
import resource
import subprocess

import cluster as clusters

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 22379  # peers below 32768, where the kernel begins to hand out ports of its own


def parser(name, about):
    made = argparse.ArgumentParser(prog=f"scripts/bench {name}", description=about,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    run = os.environ.get("KIWI_RUN_DIR") or os.path.join(clusters.ROOT, "run")
    made.add_argument("--dir", default=os.path.join(run, "bench"),
                      help="where the data goes: a disk, /tmp may be none")
    made.add_argument("--port", type=int, default=PORT,
                      help="the first client port; peers use it + 10000")
    made.add_argument("--set", action="append", metavar="name=value", default=[],
                      help="one more option for Kiwi's servers; may be repeated")
    made.add_argument("--json", metavar="FILE", help="also write every single figure here")
    made.add_argument("--plot", metavar="FILE.svg", help="also draw it (.svg, .png)")
    made.add_argument("--no-build", action="store_true")
    return made


def count(text):
    """Of an option such as --members 1e7."""
    return int(float(text))


def counts(text):
    return [count(word) for word in text.split(",")]


def names(parser_, text, known, what):
    """The names in a list with commas; those that are unknown end the program."""
    given = text.split(",")
    if unknown := [name for name in given if name not in known]:
        parser_.error(f"there is no {what} {', '.join(unknown)} here; there are {', '.join(known)}")
    return given


def settings(options):
    """--set as a dictionary."""
    for pair in options.set:
        if "=" not in pair:
            raise clusters.Failure(f"--set {pair}: it should look like --set name=value")
    return dict(pair.split("=", 1) for pair in options.set)


def prepare(options):
    """After parsing: the directory, open files for many connections, the plot's package."""
    os.makedirs(options.dir, exist_ok=True)
    raise_open_files()
    if options.plot:
        need_packages("python3-matplotlib")


def raise_open_files(wanted=65536):
    """Servers and generators inherit it; root may raise the hard limit too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def need_packages(*names):
    script = 'source "$0" && need_packages "$@"'
    common = os.path.join(clusters.ROOT, "scripts", "lib", "common.sh")
    if subprocess.call(["bash", "-c", script, common, *names]) != 0:
        raise clusters.Failure(f"Debian's {', '.join(names)} could not be installed")


def compiled(target, sources, *flags):
    """A program of this folder, compiled again when a source of the folder is newer."""
    directory = os.environ.get("KIWI_BUILD_DIR") or os.path.join(clusters.ROOT, "build")
    directory = os.path.join(directory, "bench")
    path = os.path.join(directory, target)
    paths = [os.path.join(HERE, source) for source in sources]
    newest = max(os.path.getmtime(os.path.join(HERE, name)) for name in os.listdir(HERE)
                 if name.endswith((".c", ".cpp", ".hpp")))
    if not os.path.exists(path) or os.path.getmtime(path) < newest:
        os.makedirs(directory, exist_ok=True)
        compiler = "gcc" if sources[0].endswith(".c") else "g++"
        done = subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-I", clusters.ROOT, *flags,
                               *paths, "-o", f"{path}.{os.getpid()}"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise clusters.Failure(f"{target} was not compiled: {done.stderr}")
        os.rename(f"{path}.{os.getpid()}", path)
    return path


def load_program():
    return compiled("load", ["load.cpp", "load_protocols.cpp", "load_templates.cpp"], "-std=c++20")
