#include "resp/types/string_value.hpp"

#include <algorithm>

#include "config/base/check.hpp"

namespace kiwi::resp {

namespace {

void put_chunks(Database& database, const Key& key, std::string_view bytes) {
  const size_t chunk = database.shape().chunk_bytes;
  const uint64_t stamp = key.meta.last_modified - key.meta.version;
  uint32_t index = 0;
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    database.elements().put_chunk(key.collection(), index++, stamp, bytes.substr(at, chunk));
  }
}

}  // namespace

// ---------------------------------------------------------------- set anew

void String::assign(
    Database& database, Key& key, std::string_view bytes, int64_t expire_at_ms, bool edited) {
  if (bytes.size() > database.shape().chunk_bytes) {
    return assign_spread(database, key, bytes, expire_at_ms, edited);
  }
  rocks::Metadata fresh;
  fresh.type = kType;
  fresh.expire_at_ms = expire_at_ms;
  fresh.converted = edited;
  fresh.value = bytes;
  database.create(key, fresh);
}

// One that has no more chunks than the new value keeps its version: each chunk is written over. A
// longer one does not, since no chunk of a version ever goes.
void String::assign_spread(
    Database& database, Key& key, std::string_view bytes, int64_t expire_at_ms, bool edited) {
  database.effects().spend_string(bytes.size());
  const uint64_t chunk = database.shape().chunk_bytes;
  const bool over = key.is(kType) && key.meta.spread &&
                    (key.meta.size + chunk - 1) / chunk <= (bytes.size() + chunk - 1) / chunk;
  if (over) {
    key.meta.expire_at_ms = expire_at_ms;
    key.meta.converted = edited;
    key.meta.size = bytes.size();
    database.update(key);
  } else {
    rocks::Metadata fresh;
    fresh.type = kType;
    fresh.expire_at_ms = expire_at_ms;
    fresh.converted = edited;
    fresh.spread = true;
    fresh.size = bytes.size();
    database.create(key, fresh);
  }
  put_chunks(database, key, bytes);
}

// ---------------------------------------------------------------- reading

void String::stand_for(const Key& key) {
  Handle::stand_for(key);
  chunk_at_ = kNoChunk;
}

std::string_view String::gather(std::string& space) const {
  if (!spread()) {
    return bytes();
  }
  CHECK_INVARIANT(!changed_);
  return StringChunks(database(), key_).gather(space);
}

void String::read(uint64_t offset, std::span<uint8_t> into) const {
  std::ranges::fill(into, uint8_t{0});
  const uint64_t end = std::min<uint64_t>(size(), offset + into.size());
  for (uint64_t at = offset; at < end;) {
    const uint64_t index = spread() ? at / chunk_bytes() : 0;
    const uint64_t begin = index * chunk_bytes();
    const std::string_view piece =
        !spread()            ? bytes()
        : index == chunk_at_ ? std::string_view(chunk_)
                             : elements().chunk(key_.collection(), static_cast<uint32_t>(index));
    const uint64_t stop = spread() ? std::min(end, begin + chunk_bytes()) : end;
    const uint64_t there = std::min<uint64_t>(stop, begin + piece.size());
    for (uint64_t i = at; i < there; ++i) {
      into[i - offset] = static_cast<uint8_t>(piece[i - begin]);
    }
    at = stop;
  }
}

// ---------------------------------------------------------------- changes

void String::build() {
  if (!changed_) {
    built_.assign(exists() ? key_.meta.value : std::string_view());
    changed_ = true;
  }
}

void String::replace(std::string_view bytes, bool edited) {
  if (spread() || bytes.size() > chunk_bytes()) {
    CHECK_INVARIANT(!changed_);
    if (bytes.size() <= chunk_bytes()) {
      bytes = built_.assign(bytes);  // key_.meta.value is a view of what is assigned
    }
    return assign(database(), key_, bytes, key_.live ? key_.meta.expire_at_ms : 0, edited);
  }
  built_.assign(bytes);
  edited_ = edited;
  changed_ = true;
}

void String::append(std::string_view bytes) {
  if (spread() || size() + bytes.size() > chunk_bytes()) {
    return overwrite(size(), bytes);
  }
  database().effects().expect_string(size() + bytes.size());
  edited_ = changed_ || exists();
  build();
  built_.append(bytes);
}

// From here on key_.meta is that of the change, and of a spread string. What the key's record holds
// becomes its first chunk.
void String::begin_spread() {
  if (spread()) {
    if (!changed_) {
      changed_ = true;
      database().begin_update(key_);
    }
    return;
  }
  build();
  if (key_.live) {
    database().begin_update(key_);
  } else {
    database().begin_new(key_, kType);
    fresh_ = true;
  }
  key_.meta.spread = true;
  key_.meta.size = built_.size();
  key_.meta.value = {};
  if (!built_.empty()) {
    chunk_.assign(built_);
    chunk_at_ = 0;
  }
}

void String::put_chunk() {
  if (chunk_at_ == kNoChunk) {
    return;
  }
  database().effects().spend_packed(chunk_.size());  // it is stored whole, too
  elements().put_chunk(key_.collection(), static_cast<uint32_t>(chunk_at_),
                       key_.meta.last_modified - key_.meta.version, chunk_);
  chunk_at_ = kNoChunk;
}

void String::edit_chunk(uint64_t index, uint64_t begin, std::string_view bytes) {
  if (chunk_at_ != index) {
    put_chunk();
    if (bytes.size() == chunk_bytes()) {
      chunk_.clear();
    } else {
      chunk_.assign(elements().chunk(key_.collection(), static_cast<uint32_t>(index)));
    }
    chunk_at_ = index;
  }
  if (chunk_.size() < begin + bytes.size()) {
    chunk_.resize(begin + bytes.size(), '\0');
  }
  chunk_.replace(begin, bytes.size(), bytes);
}

void String::overwrite(uint64_t offset, std::string_view bytes) {
  const uint64_t whole = std::max<uint64_t>(size(), offset + bytes.size());
  edited_ = true;
  if (!spread() && whole <= chunk_bytes()) {
    database().effects().expect_string(whole);
    build();
    built_.resize(whole, '\0');
    built_.replace(offset, bytes.size(), bytes);
    return;
  }
  begin_spread();
  for (uint64_t done = 0; done < bytes.size();) {
    const uint64_t begin = (offset + done) % chunk_bytes();
    const std::string_view part = bytes.substr(done, chunk_bytes() - begin);
    edit_chunk((offset + done) / chunk_bytes(), begin, part);
    done += part.size();
  }
  key_.meta.size = whole;
}

void String::extend(uint64_t whole) {
  if (whole <= size()) {
    return;
  }
  edited_ = true;
  if (!spread() && whole <= chunk_bytes()) {
    database().effects().expect_string(whole);
    build();
    built_.resize(whole, '\0');
    return;
  }
  begin_spread();
  key_.meta.size = whole;
}

void String::save() {
  if (!changed_) {
    return;
  }
  changed_ = false;
  if (spread()) {
    put_chunk();
    key_.meta.converted = edited_;
    if (fresh_) {
      database().store_new(key_);
      fresh_ = false;
    } else {
      database().store_updated(key_);
    }
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
}

}  // namespace kiwi::resp
