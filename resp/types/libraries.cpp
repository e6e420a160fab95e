#include "resp/types/libraries.hpp"

#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

namespace {

constexpr size_t kSha1Bytes = 20;
constexpr uint64_t kRecordBytes = 64;  // what a library, or a function, takes beside its texts

[[noreturn]] void damaged() {
  fatal("a function library's record in the state database is corrupt; replace this node's data");
}

}  // namespace

uint64_t Libraries::bytes_of(const Library& library) {
  uint64_t bytes = kRecordBytes + library.name.size() + library.code.size();
  for (const LibraryFunction& function : library.functions) {
    bytes += kRecordBytes + 2 * function.name.size() +
             (function.description ? function.description->size() : 0);
  }
  return bytes;
}

// ON DISK: sha1:20, number of functions, of each: flags, name, 1 and a description or 0; code.
Library Libraries::decode(std::string_view name, std::string_view bytes) {
  ByteReader in(bytes);
  Library library;
  library.name = name;
  library.sha1 = in.take(kSha1Bytes);
  for (uint64_t count = in.varint(); in.ok() && count > 0; --count) {
    LibraryFunction& function = library.functions.emplace_back();
    function.flags = static_cast<uint32_t>(in.varint());
    function.name = in.sized();
    if (in.le<uint8_t>() != 0) {
      function.description = std::string(in.sized());
    }
  }
  library.code = in.rest();
  if (!in.ok() || library.functions.empty()) {
    damaged();
  }
  return library;
}

std::optional<Library> Libraries::find(std::string_view name) {
  if (name.empty()) {
    return std::nullopt;  // its key would be that of the total
  }
  keys::library(key_, name);
  const std::optional<std::string_view> bytes = state_.get(Family::kSystem, key_);
  return bytes ? std::optional(decode(name, *bytes)) : std::nullopt;
}

std::string Libraries::folded(std::string_view function) {
  std::string name(function);
  for (char& c : name) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return name;
}

std::optional<std::string> Libraries::library_of(std::string_view function) {
  keys::function(key_, folded(function));
  const std::optional<std::string_view> name = state_.get(Family::kSystem, key_);
  return name ? std::optional(std::string(*name)) : std::nullopt;
}

void Libraries::for_each(const std::function<bool(const Library&)>& visit) {
  std::string from;
  std::string to;
  keys::library_range(from, to);
  for (auto at = state_.cursor(Family::kSystem, from, to); at->valid(); at->next()) {
    const std::string_view name = keys::library_name(at->key());
    if (!name.empty() && !visit(decode(name, at->value()))) {
      return;
    }
  }
}

Libraries::Total Libraries::total() {
  keys::library(key_, {});
  Total total;
  const std::optional<std::string_view> bytes = state_.get(Family::kSystem, key_);
  if (!bytes) {
    return total;
  }
  ByteReader in(*bytes);
  total.libraries = in.le<uint64_t>();
  total.functions = in.le<uint64_t>();
  total.bytes = in.le<uint64_t>();
  if (!in.done()) {
    damaged();
  }
  return total;
}

// ON DISK: libraries, functions, bytes; 8 each, LE.
void Libraries::store(const Total& total) {
  keys::library(key_, {});
  value_.clear();
  put_le(value_, total.libraries);
  put_le(value_, total.functions);
  put_le(value_, total.bytes);
  effects_.put(Family::kSystem, key_, value_);
}

bool Libraries::add(const Library& library) {
  CHECK_INVARIANT(!library.name.empty() && library.sha1.size() == kSha1Bytes);
  CHECK_INVARIANT(!library.functions.empty());
  Total now = total();
  if (now.libraries + 1 > kCount || now.bytes + bytes_of(library) > kBytes) {
    return false;
  }
  value_.clear();
  value_.append(library.sha1);
  put_varint(value_, library.functions.size());
  for (const LibraryFunction& function : library.functions) {
    put_varint(value_, function.flags);
    put_sized(value_, function.name);
    put_u8(value_, function.description ? 1 : 0);
    if (function.description) {
      put_sized(value_, *function.description);
    }
  }
  value_.append(library.code);
  keys::library(key_, library.name);
  effects_.put(Family::kSystem, key_, value_);
  give_back_if_big(value_);
  for (const LibraryFunction& function : library.functions) {
    keys::function(key_, folded(function.name));
    effects_.put(Family::kSystem, key_, library.name);
  }
  ++now.libraries;
  now.functions += library.functions.size();
  now.bytes += bytes_of(library);
  store(now);
  return true;
}

void Libraries::remove(const Library& library) {
  Total now = total();
  CHECK_INVARIANT(now.libraries != 0 && now.functions >= library.functions.size());
  CHECK_INVARIANT(now.bytes >= bytes_of(library));
  keys::library(key_, library.name);
  effects_.erase(Family::kSystem, key_);
  for (const LibraryFunction& function : library.functions) {
    keys::function(key_, folded(function.name));
    effects_.erase(Family::kSystem, key_);
  }
  --now.libraries;
  now.functions -= library.functions.size();
  now.bytes -= bytes_of(library);
  store(now);
}

void Libraries::flush() {
  std::string from;
  std::string to;
  keys::library_range(from, to);
  effects_.erase_range(Family::kSystem, from, to);
  keys::function_range(from, to);
  effects_.erase_range(Family::kSystem, from, to);
}

}  // namespace kiwi::resp
