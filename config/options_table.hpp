// The rows of options.def as data, for the parser, CONFIG and the sample file. Private to config/.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/values.hpp"

namespace kiwi::config {

struct OptionRow {
  std::string_view name;  // empty: a heading, its text is in doc
  std::string_view doc;
  uint32_t flags = 0;
  bool many_words = false;  // the value may be several words
  Refusal (*parse)(Options&, std::string_view) = nullptr;
  std::string (*print)(const Options&) = nullptr;         // as CONFIG GET shows it
  std::string (*print_sample)(const Options&) = nullptr;  // as a file would have it
  std::string (*allowed)() = nullptr;
};

// The words of a configuration line by Redis' quoting rules; nullopt: a quote is not closed.
std::optional<std::vector<std::string>> split_line(std::string_view line);

std::span<const OptionRow> option_rows();
const OptionRow* find_option(std::string_view name);  // any case; nullptr if there is none
std::string nearest_option(std::string_view name);    // a likely typing error away, or empty

}  // namespace kiwi::config
