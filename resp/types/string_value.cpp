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
  edited_ = false;
  changed_ = true;
}

void String::append(std::string_view bytes) {
  database().effects().expect_string(size() + bytes.size());
  edited_ = changed_ || exists();
  build();
  built_.append(bytes);
}

void String::overwrite(uint64_t offset, std::string_view bytes) {
  const size_t whole = std::max<size_t>(size(), offset + bytes.size());
  database().effects().expect_string(whole);
  build();
  edited_ = true;
  built_.resize(whole, '\0');
  built_.replace(offset, bytes.size(), bytes);
}

void String::save() {
  if (!changed_) {
    return;
  }
  if (key_.live) {
    key_.meta.value = built_;
    key_.meta.converted = edited_;
    database().update(key_);
  } else {
    rocks::Metadata fresh;
    fresh.type = kType;
    fresh.value = built_;
    fresh.converted = edited_;
    database().create(key_, fresh);
  }
  changed_ = false;
}

}  // namespace kiwi::resp
