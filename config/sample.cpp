// The options table as text: kiwi.conf and --help.
#include "config/options_table.hpp"
#include "config/version.hpp"

namespace kiwi::config {
namespace {

constexpr size_t kTextWidth = 96;

// Words of text in lines that start with prefix.
std::string wrap(std::string_view text, std::string_view prefix) {
  std::string out;
  std::string line(prefix);
  for (std::string_view word : split_words(text)) {
    if (line.size() + 1 + word.size() > kTextWidth && line.size() > prefix.size()) {
      out += line + "\n";
      line = prefix;
    }
    line += (line.size() > prefix.size() ? " " : "") + std::string(word);
  }
  return out + line + "\n";
}

std::string sample_row(const OptionRow& row, const Options& defaults) {
  std::string value = row.print_sample(defaults);
  bool quote = value.empty() || (!row.many_words && value.find(' ') != std::string::npos);
  std::string changes = (row.flags & kRuntime) != 0 ? " CONFIG SET may change it." : "";
  return "\n" + wrap(std::string(row.doc) + changes, "# ") +
         wrap("Allowed: " + row.allowed() + ".", "# ") + std::string(row.name) + " " +
         (quote ? "\"" + value + "\"" : value) + "\n";
}

}  // namespace

std::string sample_config() {
  std::string out =
      "# Kiwi's options with their defaults. Lines are: name value. Text with spaces goes in\n"
      "# quotes, # starts a comment line, include reads another file. The same options may be "
      "given\n"
      "# on the command line as --name value, where they win over the file.\n"
      "# This file is printed by kiwi-server --print-config.\n";
  Options defaults;
  for (const OptionRow& row : option_rows()) {
    if (row.name.empty()) {
      out += "\n# ---- " + std::string(row.doc) + "\n";
    } else if ((row.flags & kHidden) == 0) {
      out += sample_row(row, defaults);
    }
  }
  return out;
}

std::string help_text() {
  std::string out =
      "kiwi-server [file.conf] [--option value ...]\n"
      "\n"
      "A strongly consistent database server that speaks the Redis protocol.\n"
      "--version prints the version, --print-config a configuration file with all defaults.\n"
      "--restore BACKUP fills an empty dir from a backup and ends; then start without it.\n"
      "--import FILE does the same from an RDB file of Redis. What it holds that there is not yet\n"
      "here ends it, or with --import-skip-unsupported is left out and named (exit status 2).\n";
  for (const OptionRow& row : option_rows()) {
    if (row.name.empty()) {
      out += "\n" + std::string(row.doc) + "\n";
    } else if ((row.flags & kHidden) == 0) {
      out += "  --" + std::string(row.name) + "\n" + wrap(row.doc, "      ");
    }
  }
  return out;
}

}  // namespace kiwi::config
