// For files that RocksDB writes: a step that failed for lack of room is tried again until there is
// some (F60). Only for steps that begin anew at the same place. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include <rocksdb/io_status.h>

#include "rocks/room.hpp"

namespace kiwi::rocks {

// `attempt` returns an IOStatus. Its own error, if nobody may wait any more. "<verb> <path>" is
// what the log says.
template <class Attempt>
rocksdb::IOStatus retry_for_room(
    Room& room, uint64_t bytes, const char* verb, const std::string& path, Attempt attempt) {
  constexpr auto kPoll = std::chrono::milliseconds(50);
  rocksdb::IOStatus result = attempt();
  if (!lacks_room(result) || room.ended()) {
    return result;
  }
  const std::string what = std::string(verb) + " " + path;
  room.begin_wait(bytes, what);
  while (lacks_room(result) && !room.ended()) {
    std::this_thread::sleep_for(kPoll);
    result = attempt();
  }
  room.end_wait(what);
  return result;
}

}  // namespace kiwi::rocks
