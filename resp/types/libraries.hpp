// The function libraries as a part of the state (system family, tags L and F): code and what it
// registered. What compiles and runs them is resp/lua/; here they are records.
//
// Part of the Database. Keeps nothing in memory, so undo needs nothing of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/effects.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

struct LibraryFunction {
  std::string name;
  std::optional<std::string> description;
  uint32_t flags = 0;  // resp/lua/machine.hpp's
  bool operator==(const LibraryFunction&) const = default;
};
struct Library {
  std::string name;
  std::string sha1;  // 20 bytes, of the code
  std::string code;  // with its first line
  std::vector<LibraryFunction> functions;
  bool operator==(const Library&) const = default;
};

class Libraries {
 public:
  // Part of what entries mean, so constants.
  static constexpr uint64_t kCount = 1000;
  static constexpr uint64_t kBytes = uint64_t{16} << 20;  // code, names and descriptions

  Libraries(rocks::Reader& state, Effects& effects) : state_(state), effects_(effects) {}

  std::optional<Library> find(std::string_view name);
  // Functions are found in any case, as in Redis; libraries are not.
  static std::string folded(std::string_view function);
  // The name of the library that a function is in.
  std::optional<std::string> library_of(std::string_view function);
  // All of them in the order of their names, until the visitor says false. It may not change any.
  void for_each(const std::function<bool(const Library&)>& visit);
  struct Total {
    uint64_t libraries = 0;
    uint64_t functions = 0;
    uint64_t bytes = 0;
    bool operator==(const Total&) const = default;
  };
  Total total();

  // The name, and those of its functions, are free. False: there is no room for it.
  bool add(const Library& library);
  // Requires that it exists.
  void remove(const Library& library);
  void flush();

 private:
  static uint64_t bytes_of(const Library& library);
  static Library decode(std::string_view name, std::string_view bytes);
  void store(const Total& total);

  rocks::Reader& state_;
  Effects& effects_;
  std::string key_;  // buffers
  std::string value_;
};

}  // namespace kiwi::resp
