// A keyspace in memory that counts what is asked of it, and what tests of bounds share.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/memory_keyspace.hpp"

namespace kiwi::resp {

// Counts what is read and written.
class CountingKeyspace final : public rocks::MemoryKeyspace {
 public:
  std::optional<std::string_view> get(rocks::Family family, const rocks::LookupKey& key) override {
    ++gets;
    return MemoryKeyspace::get(family, key);
  }
  std::unique_ptr<rocks::Cursor> cursor(rocks::Family family,
                                        std::string_view from,
                                        std::string_view to) override {
    ++cursors;
    return std::make_unique<Walk>(MemoryKeyspace::cursor(family, from, to), steps);
  }
  void put(rocks::Family family, const rocks::LookupKey& key, std::string_view value) override {
    ++puts;
    MemoryKeyspace::put(family, key, value);
  }
  void erase(rocks::Family family, const rocks::LookupKey& key) override {
    ++erases;
    MemoryKeyspace::erase(family, key);
  }
  void erase_range(rocks::Family family, std::string_view from, std::string_view to) override {
    ++ranges;
    MemoryKeyspace::erase_range(family, from, to);
  }
  size_t reads() const { return gets + cursors + steps; }
  void reset() { gets = cursors = steps = puts = erases = ranges = 0; }
  size_t gets = 0;
  size_t cursors = 0;
  size_t steps = 0;
  size_t puts = 0;
  size_t erases = 0;
  size_t ranges = 0;

 private:
  class Walk final : public rocks::Cursor {
   public:
    Walk(std::unique_ptr<rocks::Cursor> inner, size_t& steps)
        : inner_(std::move(inner)), steps_(steps) {}
    bool valid() const override { return inner_->valid(); }
    void next() override { ++steps_, inner_->next(); }
    void seek(std::string_view key) override { ++steps_, inner_->seek(key); }
    std::string_view key() const override { return inner_->key(); }
    std::string_view value() const override { return inner_->value(); }

   private:
    std::unique_ptr<rocks::Cursor> inner_;
    size_t& steps_;
  };
};

inline std::vector<std::string> repeated(std::vector<std::string> argv,
                                         const std::string& word,
                                         int n) {
  argv.insert(argv.end(), static_cast<size_t>(n), word);
  return argv;
}

}  // namespace kiwi::resp
