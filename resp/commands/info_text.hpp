// Builds the answer of INFO. Private to resp/commands/info*.cpp.
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "resp/node_context.hpp"

namespace kiwi::resp {

class InfoText {
 public:
  InfoText(Face face, bool tls) : face_(face), tls_(tls) {}

  // Of whom it is told.
  Face face() const { return face_; }
  bool tls() const { return tls_; }  // addresses are those that speak it
  void section(std::string_view title);
  void line(std::string_view name, std::string_view value);
  void line(std::string_view name, std::integral auto value) { line(name, std::to_string(value)); }
  void metrics(std::string_view section, const NodeContext& node);  // rows of metrics.def
  std::string take() { return std::move(text_); }

 private:
  const Face face_;
  const bool tls_;
  std::string text_;
};

std::string human_bytes(uint64_t bytes);  // 1.50K
std::string two_places(double value);

void write_memory(NodeContext& node, InfoText& out);         // info_memory.cpp
void write_replication(NodeContext& node, InfoText& out);    // replication.cpp
void write_sentinel_info(NodeContext& node, InfoText& out);  // sentinel.cpp
// What INFO answers without a word.
std::string default_info(NodeContext& node, Face face);

// info_commands.cpp
void write_command_stats(NodeContext& node, InfoText& out);
void write_error_stats(NodeContext& node, InfoText& out);
void write_latency_stats(NodeContext& node, InfoText& out);

// The raft_... sections that `asked` says yes to.
void write_raft_sections(const NodeContext& node,
                         InfoText& out,
                         const std::function<bool(std::string_view)>& asked);

}  // namespace kiwi::resp
