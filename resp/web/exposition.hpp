// Prometheus' text format: families of samples with labels. Whatever a label's value holds (an
// error word is a script's to choose), what comes out is well-formed: valid UTF-8, quotes and line
// ends escaped, no control characters. Plain class; any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/metrics.hpp"

namespace kiwi::resp::web {

using Label = std::pair<std::string_view, std::string_view>;
using Labels = std::span<const Label>;

class Exposition {
 public:
  enum class Type : uint8_t { kCounter, kGauge, kHistogram };

  // The samples that follow are of this family. Each name once.
  void family(std::string_view name, Type type, std::string_view help);
  void sample(double value) { sample(Labels(), value); }
  void sample(uint64_t value) { sample(Labels(), value); }
  void sample(Labels labels, double value);
  void sample(Labels labels, uint64_t value);
  void sample(std::initializer_list<Label> labels, double value) {
    sample(Labels(labels.begin(), labels.size()), value);
  }
  void sample(std::initializer_list<Label> labels, uint64_t value) {
    sample(Labels(labels.begin(), labels.size()), value);
  }
  // Buckets by `le`, their sum and their number, in seconds. The sum is not exact where buckets are
  // all that is known.
  void histogram(Labels labels, const config::DurationCounts& counts);
  void histogram(std::initializer_list<Label> labels, const config::DurationCounts& counts) {
    histogram(Labels(labels.begin(), labels.size()), counts);
  }

  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view suffix, Labels labels, std::string_view le = {});

  std::string name_;  // of the family at hand
  std::string text_;
};

// What a label can hold of any bytes: two that differ may become one.
std::string label_text(std::string_view bytes);
// The same between its quotes.
std::string label_value(std::string_view bytes);

}  // namespace kiwi::resp::web
