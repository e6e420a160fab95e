"""scripts/lib/script_checksums.py: what it calls equal."""

import script_checksums


def program(tmp_path, body):
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return str(path)


def run(monkeypatch, capsys, path):
    monkeypatch.setattr("sys.argv", ["script_checksums.py", "--scripts", "7", "--program", path])
    return script_checksums.main(), capsys.readouterr().out


def test_equal(monkeypatch, capsys, tmp_path):
    code, said = run(monkeypatch, capsys, program(tmp_path, "echo $2 $4 a b\n"))
    assert code == 0
    assert said == "7 scripts, 3 processes, equal: 7 0 a b\n"


def test_one_differs_and_is_named(monkeypatch, capsys, tmp_path):
    code, said = run(monkeypatch, capsys, program(tmp_path, 'echo 1 same\necho 2 ${GLIBC_TUNABLES:+other}\n'))
    assert code == 1
    assert "as it is: 2 (exit code 0)\nfixed addresses, no FMA, no AVX: 2 other (exit code 0)\n" in said


def test_one_that_dies_or_says_nothing_is_no_success(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, capsys, program(tmp_path, "echo 1 a\nexit 3\n"))[0] == 1
    assert run(monkeypatch, capsys, program(tmp_path, "exit 0\n"))[0] == 1
    assert script_checksums.compare(["1 a\n2 b\n", "1 a\n", "1 a\n2 b\n"]) == ["2 b", "nothing", "2 b"]
