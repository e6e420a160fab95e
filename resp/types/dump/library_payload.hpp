// The frame of FUNCTION DUMP, as Redis 7.0 writes and takes it: per library opcode 245 and its
// code, then version (2 bytes) and CRC-64 over all before it. Over bytes that anybody may have
// made. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/dump/rdb_reader.hpp"

namespace kiwi::resp::dump {

void put_library(std::string& out, std::string_view code);
void close_libraries(std::string& out);

enum class LibrariesError : uint8_t {
  kNone,
  kFrame,    // its version is newer, or its checksum is wrong
  kNoType,   // it ends where a library would begin
  kOther,    // something else than a library
  kDamaged,  // a library that does not fit
};
// What it holds, in order. `before_unpacking` as of RdbReader.
LibrariesError read_libraries(std::string_view bytes,
                              const RdbReader::BeforeUnpacking& before_unpacking,
                              std::vector<std::string>& codes);

}  // namespace kiwi::resp::dump
