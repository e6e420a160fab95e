// Byte helpers: big-endian (keys: byte order is sort order), little-endian (values), varints, and
// SharedBytes, an immutable ref-counted slice, so that one buffer serves log, wire and apply.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace kiwi {

// Immutable and safe to read from any thread; a copy shares the buffer.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string bytes)
      : SharedBytes(std::make_shared<const std::string>(std::move(bytes))) {}
  SharedBytes(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}
  static SharedBytes copy_of(std::string_view bytes) {  // one allocation
    if (bytes.empty()) {
      return {};
    }
    auto copy = std::make_shared_for_overwrite<char[]>(bytes.size());
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    const std::string_view view(copy.get(), bytes.size());
    return SharedBytes(std::move(copy), view);
  }

  std::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  // A part of this buffer that keeps the whole alive; `part` must lie inside view().
  SharedBytes slice(std::string_view part) const { return SharedBytes(owner_, part); }
  friend bool operator==(const SharedBytes& a, const SharedBytes& b) { return a.view_ == b.view_; }

 private:
  explicit SharedBytes(std::shared_ptr<const std::string> whole) : owner_(whole), view_(*whole) {}

  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

inline void put_u8(std::string& out, uint8_t v) { out.push_back(static_cast<char>(v)); }

template <class T>
void put_le(std::string& out, T v) {  // the host is little-endian: checksum.cpp asserts it
  char raw[sizeof(T)];
  std::memcpy(raw, &v, sizeof(T));
  out.append(raw, sizeof(T));
}

template <class T>
void put_be(std::string& out, T v) {
  char raw[sizeof(T)];
  for (size_t i = 0; i < sizeof(T); ++i) {
    raw[i] = static_cast<char>(static_cast<uint64_t>(v) >> (8 * (sizeof(T) - 1 - i)));
  }
  out.append(raw, sizeof(T));
}

template <class T>
T get_be(std::string_view in) {  // in.size() >= sizeof(T)
  uint64_t v = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    v = (v << 8) | static_cast<uint8_t>(in[i]);
  }
  return static_cast<T>(v);
}

constexpr size_t kMaxVarintBytes = 10;

// Returns how many bytes it wrote, at most kMaxVarintBytes.
inline size_t write_varint(char* to, uint64_t v) {
  size_t size = 0;
  for (; v >= 0x80; v >>= 7) {
    to[size++] = static_cast<char>(v | 0x80);
  }
  to[size++] = static_cast<char>(v);
  return size;
}

inline void put_varint(std::string& out, uint64_t v) {
  char raw[kMaxVarintBytes];
  out.append(raw, write_varint(raw, v));
}

// A cursor over untrusted bytes: once a read runs past the end, ok() stays false and reads give 0.
class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in) {}

  bool ok() const { return ok_; }
  bool done() const { return ok_ && in_.empty(); }
  std::string_view rest() const { return in_; }

  template <class T>
  T le() {
    T v{};
    std::string_view raw = take(sizeof(T));
    if (ok_) {
      std::memcpy(&v, raw.data(), sizeof(T));
    }
    return v;
  }
  uint64_t varint() {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      uint8_t byte = le<uint8_t>();
      if (!ok_) {
        return 0;
      }
      v |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        return v;
      }
    }
    ok_ = false;
    return 0;
  }
  std::string_view take(size_t n) {
    if (!ok_ || n > in_.size()) {
      ok_ = false;
      return {};
    }
    std::string_view out = in_.substr(0, n);
    in_.remove_prefix(n);
    return out;
  }
  std::string_view sized() { return take(varint()); }  // varint length, then that many bytes

 private:
  std::string_view in_;
  bool ok_ = true;
};

inline void put_sized(std::string& out, std::string_view bytes) {
  put_varint(out, bytes.size());
  out.append(bytes);
}

}  // namespace kiwi
