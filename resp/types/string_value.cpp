#include "resp/types/string_value.hpp"

#include <algorithm>

namespace kiwi::resp {

void String::assign(Database& database, Key& key, std::string_view bytes, int64_t expire_at_ms) {
  rocks::Metadata fresh;
  fresh.type = kType;
  fresh.expire_at_ms = expire_at_ms;
  fresh.value = bytes;
  database.create(key, fresh);
}

void String::build() {
  if (!changed_) {
    built_.assign(exists() ? key_.meta.value : std::string_view());
    changed_ = true;
  }
}

void String::replace(std::string_view bytes) {
  built_.assign(bytes);
  changed_ = true;
}

void String::append(std::string_view bytes) {
  database().effects().expect_string(size() + bytes.size());
  build();
  built_.append(bytes);
}

void String::overwrite(uint64_t offset, std::string_view bytes) {
  const size_t whole = std::max<size_t>(size(), offset + bytes.size());
  database().effects().expect_string(whole);
  build();
  built_.resize(whole, '\0');
  built_.replace(offset, bytes.size(), bytes);
}

void String::save() {
  if (!changed_) {
    return;
  }
  if (key_.live) {
    key_.meta.value = built_;
    database().update(key_);
  } else {
    assign(database(), key_, built_, 0);
  }
  changed_ = false;
}

}  // namespace kiwi::resp
