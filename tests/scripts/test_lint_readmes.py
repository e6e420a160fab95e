"""scripts/lint: a table of files names what is there, and all of it."""
import lint_readmes

PAGE = """# raft
| file | job |
|---|---|
| `core.hpp` `log_*` | x, not `gone.cpp` |
| `table/` `inner.*` | y |

| word | meaning |
|---|---|
| `lost` | z |
"""
TREE = {"raft/README.md": PAGE, "raft/core.hpp": "", "raft/log_window.cpp": "", "raft/table/a.cpp": "",
        "raft/room/inner.cpp": ""}


def test_a_table_that_is_true_is_silent():
    assert list(lint_readmes.check(TREE)) == []


def test_what_is_gone_is_named():
    tree = {path: text for path, text in TREE.items() if path != "raft/log_window.cpp"}
    assert list(lint_readmes.check(tree)) == ["raft/README.md:4: there is no log_*"]
    tree = {path: text for path, text in TREE.items() if path != "raft/table/a.cpp"}
    assert list(lint_readmes.check(tree)) == ["raft/README.md:5: there is no table/"]


def test_what_is_new_is_named():
    problem = "raft/README.md: its table of files does not name raft/core.cpp"
    assert list(lint_readmes.check(TREE | {"raft/core.cpp": ""})) == [problem]


def test_a_folder_with_a_readme_of_its_own_is_not_looked_into():
    assert list(lint_readmes.check(TREE | {"raft/sub/README.md": "", "raft/sub/x.cpp": ""})) == []
