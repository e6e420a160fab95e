"""scripts/lint: each rule, broken once."""
import subprocess

import lint
import lint_chapters
import lint_includes
import lint_lengths
import pytest


@pytest.mark.parametrize("path, line, words", [
    ("raft/a.cpp", '#include "rocks/keys.hpp"', "raft/ must not include"),
    ("config/base/a.cpp", '#include "config/options.hpp"', "config/base/ must not include"),
    ("resp/a.cpp", '#include "rocks/rocks_log.hpp"', "resp/ must not include"),
    ("rocks/a.cpp", '#include "raft/core.hpp"', "rocks/ must not include"),
    ("raft/a.cpp", "#include <chrono>", "the core is pure"),
    ("raft/a.cpp", "#include <caf/all.hpp>", "<caf/all.hpp> belongs in actors/"),
    ("resp/a.cpp", "#include <boost/asio.hpp>", "belongs in actors/"),
    ("actors/a.cpp", "#include <rocksdb/db.h>", "belongs in rocks/"),
    ("config/base/a.hpp", "#include <spdlog/spdlog.h>", "belongs in config/base/log.cpp"),
    ("raft/core.cpp", "#include <cereal/cereal.hpp>", "belongs in raft/codec.cpp"),
    ("config/a.cpp", "#include <doctest/doctest.h>", "belongs in tests only"),
])
def test_an_include_against_the_rules_is_named(path, line, words):
    problems = list(lint_includes.check({path: "// x\n" + line + "\n"}))
    assert len([p for p in problems if words in p and p.startswith(f"{path}:2:")]) == 1


def test_what_is_allowed_is_silent():
    assert list(lint_includes.check({
        "rocks/a.cpp": '#include <rocksdb/db.h>\n#include "raft/types.hpp"\n',
        "resp/a.cpp": '#include <vector>\n#include "rocks/keyspace.hpp"\n',
        "actors/a.cpp": '#include <boost/asio.hpp>\n#include <caf/all.hpp>\n',
        "tests/rocks/a.cpp": '#include <doctest/doctest.h>\n#include <rocksdb/db.h>\n',
    })) == []


def test_a_leak_through_headers_is_seen_from_afar():
    problems = list(lint_includes.check({
        "rocks/keyspace.hpp": '#include "rocks/inner.hpp"\n',
        "rocks/inner.hpp": "#include <rocksdb/db.h>\n",
        "resp/a.cpp": '#include "rocks/keyspace.hpp"\n',
    }))
    assert problems == ["resp/a.cpp: reaches <rocksdb/...> through rocks/keyspace.hpp; keep it "
                        "behind a pimpl in a .cpp"]


def function(lines):
    return "int f(int a,\n      int b) {\n" + "  a += b;\n" * (lines - 3) + "}\n"


def test_long_functions_and_files_are_found(tmp_path):
    files = {"config/base/a.cpp": "namespace kiwi {\n" + function(70) + function(71) + "}\n",
             "config/base/b.cpp": "// x\n" * 500, "config/base/c.cpp": "// x\n" * 501,
             "scripts/x.py": "def g():\n" + "    x = 1\n" * 70}
    assert lint_lengths.exceptions(files) == {"function config/base/a.cpp f": 71, "file config/base/c.cpp": 501,
                                              "function scripts/x.py g": 71}
    assert len(list(lint_lengths.check(tmp_path, files))) == 3


def test_methods_and_test_cases_count_as_functions():
    body = "    x();\n" * 80
    text = ("class A {\n  int method(int a) const {\n" + body + "  }\n};\n"
            'TEST_SUITE("s") {\n  TEST_CASE("long [F1]") {\n' + body + "  }\n}\n")
    assert dict(lint_lengths.cpp_functions(text)) == {"method": 82, "TEST_CASE long [F1]": 82}


def git(tmp_path, *arguments):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], cwd=tmp_path,
                   check=True, capture_output=True)


def ratchet(tmp_path, entries, commit=True):
    path = tmp_path / "scripts" / "ratchet.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("# heading\n" + "".join(f"{k} {v}\n" for k, v in entries.items()))
    if commit:
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-qm", "x")
    return path.read_text()


def test_the_ratchet_allows_what_it_lists_and_only_shrinks(tmp_path):
    git(tmp_path, "init", "-q")
    ratchet(tmp_path, {})  # an empty beginning does not count
    key = "file config/base/a.cpp"

    def problems(lines, entries, commit=False):
        text = ratchet(tmp_path, entries, commit)
        files = {"config/base/a.cpp": "// x\n" * lines, "scripts/ratchet.txt": text}
        return list(lint_lengths.check(tmp_path, files))

    assert problems(600, {key: 600}, commit=True) == []
    assert "at most 600" in problems(601, {key: 600})[0]
    assert "was 600, it must not grow" in problems(601, {key: 601})[0]
    assert "lower its entry" in problems(550, {key: 600})[0]
    assert problems(550, {key: 550}, commit=True) == []
    assert "was 550, it must not grow" in problems(560, {key: 560})[0]
    assert "remove its entry" in problems(10, {key: 550})[0]
    assert problems(10, {}) == []


def test_words_headers_and_folders():
    todo, fix = "TO" + "DO", "FIX" + "ME"
    files = {"config/base/a.hpp": "#pragma once\n", "config/base/b.hpp": "// x\n",
             "config/base/c.cpp": f"// {todo}(#12): fine\n// {todo}: not\n// {fix}\n"}
    assert [p.split(": ")[0] for p in lint.check_words(files)] == ["config/base/c.cpp:2", "config/base/c.cpp:3"]
    assert [p.split(": ")[0] for p in lint.check_headers(files)] == ["config/base/a.hpp:1", "config/base/b.hpp:1"]
    assert [p.split()[0] for p in lint.check_folders(files)] == ["config/base/README.md",
                                                                "config/README.md"]


@pytest.mark.parametrize("path, line, found", [
    ("resp/a.cpp", 'reply.error("TIMEOUT not yet");', True),
    ("actors/a.cpp", 'return "-LOADING wait\\r\\n";', True),
    ("resp/a.hpp", 'constexpr auto kText = "WRONGTYPE Operation against";', True),
    ("resp/a.cpp", 'reply.error("ERR syntax error");', False),
    ("resp/a.cpp", '// answers "TIMEOUT not yet"', False),
    ("resp/a.cpp", 'if (same_word(word, "READONLY")) {', False),
    ("resp/texts.hpp", 'constexpr auto kText = "TIMEOUT not yet";', False),
    ("tests/resp/a.cpp", 'CHECK(text == "TIMEOUT not yet");', False),
])
def test_a_fate_stands_with_the_others(path, line, found):
    problems = list(lint.check_fates({path: "// x\n" + line + "\n"}))
    assert [p.partition(" ")[0] for p in problems] == ([f"{path}:2:"] if found else [])


def test_a_method_under_the_wrong_chapter_is_named():
    header = ("struct Core::State {\n  // ---- one.cpp\n  void first();\n  int second(int a,\n             int b);\n"
              "  // ---- two.cpp (end)\n  void third() const;\n  void inlined();\n};\n"
              "void Core::State::inlined() {}\n")
    files = {"raft/state.hpp": header,
             "raft/one.cpp": "void Core::State::first() {\n}\nvoid Core::State::third() const {\n}\n",
             "raft/two.cpp": "int Core::State::second(int a, int b) {\n}\n"}
    problems = list(lint_chapters.check(files))
    assert [p.partition(" is not in ")[0] for p in problems] == [
        "raft/state.hpp:4: Core::State::second", "raft/state.hpp:7: Core::State::third"]
