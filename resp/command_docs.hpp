// What COMMAND DOCS and COMMAND INFO say beyond the command table: one DOC row per command in
// resp/command_docs/*.def, named by its group there (`extract.py` writes them from a redis-server).
//
// A row is text, a line per fact:
//   summary|since|group|complexity|flag|deprecated-since|replaced-by TEXT
//   history VERSION TEXT
//   tip TEXT                                    COMMAND INFO's tips
//   key FLAGS | index 1 | range 0 1 0 [| NOTES] a key specification: where it begins, how it goes
//   on arg NAME TYPE [#KEY] [token=T] [since=V] [optional] [multiple] [multiple-token]
// and two spaces before an arg make it part of the one above.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/command.hpp"

namespace kiwi::resp {

struct DocLine {
  size_t depth = 0;
  std::string_view word;
  std::string_view rest;
};
struct KeySpec {
  std::string_view flags;  // "RW access update"
  std::string_view begin;  // "index 1"
  std::string_view find;   // "range 0 1 0"
  std::string_view notes;
};

// The lines of a command's row; empty without one.
std::vector<DocLine> command_doc(std::string_view name);
std::vector<KeySpec> key_specs(std::span<const DocLine> doc);
std::vector<std::string_view> split(std::string_view text, std::string_view separator);

void write_command_docs(const CommandSpec& spec, ReplyWriter& reply);  // name and map
void write_command_info(const CommandSpec& spec, ReplyWriter& reply);

// The names of the ACL categories in Redis' order, without @, by bit.
std::span<const std::string_view> acl_names();

}  // namespace kiwi::resp
