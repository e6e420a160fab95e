// How a row's command waits when there is nothing for it (F31). The session asks wait() whether
// this argv blocks at all; the executor asks the rest, at the moment that it is evaluated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/batch.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

class Context;
class ReplyWriter;

struct WaitFor {
  rocks::Type type = rocks::Type::kList;
  std::vector<std::string_view> keys;  // what it takes from, in the order in which it looks
  uint64_t count = 1;                  // elements, at most
  int64_t timeout_ms = 0;              // 0: for ever
  std::string_view lane;               // who waits in another one wants other elements (a group)
};

// Which words of argv say how long it waits, and not what it takes.
enum class TimeoutAt : uint8_t { kLast, kFirst, kOptions };

struct WaitRule {
  // A pure function of argv. False: this argv does not block; it goes the way of its row, and what
  // is wrong with it the handler says.
  bool (*wait)(Args args, WaitFor& into) = nullptr;
  // Whether it may wait; false: the error was answered. Changes nothing. None: no key of another
  // type stands in front of the first where something is. Rows that only read have none: their
  // handler was asked first.
  bool (*check)(Context& context, Args args, ReplyWriter& reply) = nullptr;
  // How many elements that key has for those of that lane; where a serve would answer an error, for
  // all of them. None: the size of the key, if it has the type.
  uint64_t (*supply)(Context& context, std::string_view key, std::string_view lane) = nullptr;
  // The argv that it waits with, where that is another one: a word means the moment of the call
  // (`$` of XREAD), or it gets less when it had to wait. Only asked if there was nothing.
  std::vector<std::string> (*pin)(Context& context, Args args) = nullptr;
  // Of a client that was gone before it was served: what was taken, and where from, as the
  // arguments of kiwi.giveback (commands/give_back.cpp). `taken`: the strings and numbers of the
  // reply, its key first. None: nothing is lost.
  void (*give_back)(Args args,
                    const std::vector<std::string>& taken,
                    std::vector<std::string>& words) = nullptr;
  TimeoutAt timeout = TimeoutAt::kLast;  // kOptions: BLOCK and COUNT, which pin() may add
};

}  // namespace kiwi::resp
