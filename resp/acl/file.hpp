// The text of an ACL file, and lines "user NAME RULES" of a configuration file. Texts and errors as
// in Redis 7.0. Plain; reads and writes no file.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.hpp"
#include "resp/acl/users.hpp"

namespace kiwi::resp::acl {

using Rights = std::map<std::string, User, std::less<>>;  // by name

// `path` is only named in the error, which lists all that is wrong.
Result<Rights> parse_file(std::string_view text, std::string_view path, const RuleContext& context);

// Of a configuration file: the words behind "user", one vector for each line.
Result<Rights> parse_lines(const std::vector<std::vector<std::string>>& lines,
                           const RuleContext& context);

std::string file_text(const Users& users);  // what ACL SAVE writes

std::string describe(const NamedUser& user);  // a line of it: "user NAME RULES"

}  // namespace kiwi::resp::acl
