// INFO commandstats, errorstats and latencystats, from Measures.
#include <cstdio>

#include "resp/commands/info_text.hpp"
#include "resp/node_context.hpp"

namespace kiwi::resp {

namespace {

std::string decimal(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

// An error's first word is a script's to choose; a line of INFO ends where it should.
std::string one_word(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    c = c == '#' || c == ':' || c == '\n' || c == '\r' ? '_' : c;
  }
  return out;
}

}  // namespace

void write_command_stats(NodeContext& node, InfoText& out) {
  for (const CommandSpec& row : all_commands()) {
    const Measures::Row& counts = node.measures.row(row);
    if (row.is_internal() || !counts.is_used()) {
      continue;
    }
    const int64_t us = counts.executed_ns / 1000;
    const double each =
        counts.calls == 0 ? 0 : static_cast<double>(us) / static_cast<double>(counts.calls);
    out.line("cmdstat_" + std::string(row.name),
             "calls=" + std::to_string(counts.calls) + ",usec=" + std::to_string(us) +
                 ",usec_per_call=" + decimal("%.2f", each) +
                 ",rejected_calls=" + std::to_string(counts.rejected) +
                 ",failed_calls=" + std::to_string(counts.failed));
  }
}

void write_error_stats(NodeContext& node, InfoText& out) {
  for (const auto& [word, count] : node.measures.errors()) {
    out.line("errorstat_" + one_word(word), "count=" + std::to_string(count));
  }
}

void write_latency_stats(NodeContext& node, InfoText& out) {
  if (!node.options.latency_tracking) {
    return;
  }
  for (const CommandSpec& row : all_commands()) {
    const Histogram* times = node.measures.row(row).service.get();
    if (times == nullptr || row.is_internal()) {
      continue;
    }
    std::string values;
    for (const double percent : node.options.latency_tracking_info_percentiles.values) {
      values += values.empty() ? "p" : ",p";
      values +=
          config::percentile_text(percent) + "=" + decimal("%.3f", times->percentile(percent));
    }
    out.line("latency_percentiles_usec_" + std::string(row.name), values);
  }
}

}  // namespace kiwi::resp
