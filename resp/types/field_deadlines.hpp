// The deadlines that fields of spread hashes have, in the order of time: a record each, beside the
// field's own, which says the same (M6). What is packed has none: it is small enough to be looked
// through.
//
// Owned by the Database. Which fields they are, and how many, is the business of Hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/effects.hpp"
#include "resp/types/steps.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

class FieldDeadlines {
 public:
  FieldDeadlines(rocks::Reader& reader, Effects& effects, Steps& steps)
      : reader_(reader), effects_(effects), steps_(steps) {}

  struct Field {
    int64_t deadline_ms = 0;
    std::string name;
  };

  void put(rocks::CollectionId hash, int64_t deadline_ms, std::string_view field);
  void erase(rocks::CollectionId hash, int64_t deadline_ms, std::string_view field);
  // All up to one and with it, which leaves nothing that a walk has to cross (F57).
  void drop_to(rocks::CollectionId hash, const Field& last);

  // nullopt: there is none.
  std::optional<int64_t> first_after(rocks::CollectionId hash, int64_t now_ms);
  std::optional<int64_t> last(rocks::CollectionId hash);
  // How many are not after now_ms. A step each.
  uint64_t due(rocks::CollectionId hash, int64_t now_ms);
  // How many are after it; counts no further than `most`.
  uint64_t later(rocks::CollectionId hash, int64_t now_ms, uint64_t most);
  // Some, in order: at most `most`, and not much more than 256 KiB of names. Those that are first
  // among all, and the first that are not after now_ms.
  std::vector<Field> first(rocks::CollectionId hash, uint64_t most);
  std::vector<Field> first_due(rocks::CollectionId hash, int64_t now_ms, uint64_t most);

  size_t buffer_bytes() const { return key_.capacity() + from_.capacity() + to_.capacity(); }
  void give_back_buffers();

 private:
  std::unique_ptr<rocks::Cursor> cursor(rocks::CollectionId hash, int64_t after_ms);
  std::vector<Field> some(int64_t not_after_ms, uint64_t most);  // from from_ to to_
  int64_t deadline_at(std::string_view record) const;

  rocks::Reader& reader_;
  Effects& effects_;
  Steps& steps_;
  // Buffers, reused.
  std::string key_;
  std::string from_;
  std::string to_;
};

}  // namespace kiwi::resp
