// COMMAND DOCS and COMMAND INFO: what a row and its text (commands/all.def) say, as Redis prints
// it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/command.hpp"

namespace kiwi::resp {

// A line of a row's text: two spaces before it are one of depth.
struct DocLine {
  size_t depth = 0;
  std::string_view word;
  std::string_view rest;
};

std::vector<DocLine> command_doc(const CommandSpec& row);
std::vector<std::string_view> split(std::string_view text, std::string_view separator);

void write_command_docs(const CommandSpec& row, ReplyWriter& reply);  // name and map
void write_command_info(const CommandSpec& row, ReplyWriter& reply);
void write_key_flags(uint16_t flags, ReplyWriter& reply);  // a set of Redis' names

// The names of the ACL categories in Redis' order, without @, by bit.
std::span<const std::string_view> acl_names();

}  // namespace kiwi::resp
