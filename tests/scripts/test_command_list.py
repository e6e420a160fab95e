"""scripts/lib/command_list.py: README says which of Redis' commands exist."""
import command_list

ROWS = '''WRITE(hset, "hset", -4, kDenyOom | kFast, kAclHash, R"(
summary Set "one"
)")
WRITE_OR_READ(georadius, georadius_route, walk_cost, "georadius", -6,
              kDenyOom, kAclGeo, R"(
)")
SESSION(kConfig, config, "config", -2, 0, 0, R"(
)")
LOCAL(config_get, "config|get", -3, 0, 0, R"(
)")
ADMIN(raft_node, "raft.node", -3, 0, 0, R"(
)")
'''
REDIS = "# names\nhash\n  hget hset\ngeo\n  georadius\nserver\n  config config|get config|rewrite\n  acl acl|list\n"
README = f"before\n{command_list.BEGIN}\nold\n{command_list.END}\nbehind\n"
FILES = {"README.md": README, "scripts/lib/redis_commands.txt": REDIS, "resp/commands/all.def": ROWS,
         "resp/commands/internal.def": 'WRITE(expire, "kiwi.expire", -1, 0, 0, R"(\n)")\n'}


def test_rows_of_every_kind_are_found():
    assert command_list.ours(FILES) == {"hset", "georadius", "config", "config|get", "raft.node"}


def test_the_table_says_what_is_there_and_what_is_not():
    text = command_list.written(FILES)
    assert text.startswith("before\n") and text.endswith("\nbehind\n") and "old" not in text
    assert "3 of Redis 7.0's 5 commands" in text
    assert "| hash | `HSET` | `HGET` |" in text and "| geo | `GEORADIUS` | |" in text
    assert "| server | `CONFIG` | `ACL`, `CONFIG REWRITE` |" in text
    assert "| Kiwi's own | `RAFT.NODE` | |" in text and "KIWI.EXPIRE" not in text


def test_lint_sees_an_old_table():
    assert list(command_list.check(FILES))
    fresh = {**FILES, "README.md": command_list.written(FILES)}
    assert not list(command_list.check(fresh))
    fresh["resp/commands/all.def"] += 'READ(hget, "hget", 3, kFast, kAclHash, R"(\n)")\n'
    assert list(command_list.check(fresh))
    assert list(command_list.check({**FILES, "README.md": "no marks"}))


def test_the_list_of_redis_is_whole():
    with open(f"{command_list.ROOT}/scripts/lib/redis_commands.txt", encoding="utf-8") as file:
        groups = command_list.theirs(file.read())
    names = [name for group in groups.values() for name in group]
    assert len(names) == len(set(names)) == 366 and sum("|" not in name for name in names) == 240
