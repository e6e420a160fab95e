// The victims of storage_snapshot_test.cpp: `actors_plain_tests child <role> <directory>`.
#pragma once

#include <string>

namespace kiwi::actors {

int storage_child(const std::string& role, const std::string& dir);

}  // namespace kiwi::actors
