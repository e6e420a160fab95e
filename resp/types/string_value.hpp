// Strings. Today's layout: the bytes stand in the key's record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/base/reuse.hpp"
#include "resp/types/handle.hpp"

namespace kiwi::resp {

class String : public Handle {
 public:
  static constexpr rocks::Type kType = rocks::Type::kString;
  using Handle::Handle;
  void give_back() { give_back_if_big(built_); }

  // What a key holds becomes a string, whatever it was. expire_at_ms: 0 = never.
  static void assign(Database& database, Key& key, std::string_view bytes, int64_t expire_at_ms);

  std::string_view bytes() const {  // of a missing key: none
    return changed_ ? std::string_view(built_) : exists() ? key_.meta.value : std::string_view();
  }
  uint64_t size() const { return bytes().size(); }

  // A key that is there keeps its deadline. The caller sees to the longest size.
  void replace(std::string_view bytes);
  void append(std::string_view bytes);
  // From `offset` on; what lies between the end and there becomes zeros.
  void overwrite(uint64_t offset, std::string_view bytes);
  // Writes the key's record if anything changed. An empty string is a value.
  void save();

 private:
  void build();  // built_ becomes what bytes() are

  std::string built_;    // a buffer
  bool edited_ = false;  // of what changed: Redis would keep its bytes apart (Metadata::converted)
};

}  // namespace kiwi::resp
