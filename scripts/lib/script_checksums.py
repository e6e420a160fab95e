"""Random scripts in processes that differ in what must not matter: their checksums have to be equal.

  /usr/bin/python3 scripts/lib/script_checksums.py [--scripts N] [--from I] [--program PATH]

N (10,000,000) scripts in each of three processes at once (tests/resp/script_checksums.cpp): as it is;
without randomized addresses, FMA and AVX; with other reads beside, so that other images are kept. What
differs is named with the number of the script up to which it agreed."""

import argparse
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The names of glibc 2.33 and later, and those before; it ignores what it does not know.
PLAIN = "glibc.cpu.hwcaps=" + ",".join(
    "-" + name for name in ("AVX512F", "AVX2", "AVX", "FMA", "FMA4", "AVX512F_Usable", "AVX2_Usable", "AVX_Usable",
                            "FMA_Usable", "FMA4_Usable"))
PROCESSES = (("as it is", [], {}, 0),
             ("fixed addresses, no FMA, no AVX", ["setarch", "-R"], {"GLIBC_TUNABLES": PLAIN}, 0),
             ("other reads beside", [], {}, 1))


def start(program, scripts, first, process):
    _, prefix, environment, history = process
    words = [*prefix, program, "--scripts", str(scripts), "--from", str(first), "--history", str(history)]
    return subprocess.Popen(words, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)


def compare(outputs):
    """The first line that is not the same in all: what each says there; None: there is none."""
    lines = [output.splitlines() for output in outputs]
    for number in range(max(map(len, lines))):
        said = [each[number] if number < len(each) else "nothing" for each in lines]
        if len(set(said)) > 1:
            return said
    return None if lines[0] else ["nothing"] * len(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scripts", type=int, default=10_000_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "tests", "resp", "script_checksums"))
    options = parser.parse_args()
    running = [start(options.program, options.scripts, options.first, process) for process in PROCESSES]
    outputs = [process.communicate()[0] for process in running]
    ended = [process.returncode for process in running]
    said = compare(outputs)
    if said is None and not any(ended):
        print(f"{options.scripts} scripts, {len(PROCESSES)} processes, equal: {outputs[0].splitlines()[-1]}")
        return 0
    for (name, *_), line, code in zip(PROCESSES, said or [""] * len(PROCESSES), ended):
        print(f"{name}: {line} (exit code {code})")
    return 1


if __name__ == "__main__":
    sys.exit(main())
