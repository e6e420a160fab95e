#include "actors/peers/build.hpp"

namespace kiwi::actors {

namespace {

static_assert(config::kClusterVersionMax == 2, "the bound of raft.test-max-version, too");

bool too_old(const Build& build, const Build& other) {
  return build.cluster_version_max < other.cluster_version;
}

std::string versions(const Build& old, const Build& other) {
  return "cluster versions up to " + std::to_string(old.cluster_version_max) +
         ", but the cluster is at " + std::to_string(other.cluster_version);
}

}  // namespace

std::string_view own_architecture() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#else
#error "say how this architecture is called"
#endif
}

std::string misfit(const Build& here, const Build& there) {
  if (here.architecture != there.architecture) {
    return "it runs on " + there.architecture + ", this node on " + here.architecture +
           ": they would compute different floating-point numbers, and so different data; all "
           "nodes of a cluster are of one architecture";
  }
  if (too_old(there, here)) {
    return "its build " + there.name + " supports " + versions(there, here) +
           ": start a newer build there";
  }
  if (too_old(here, there)) {
    return "this build supports " + versions(here, there) + ": start a newer build here";
  }
  return {};
}

void put_build(std::string& out, const Build& build) {
  put_sized(out, build.name);
  put_sized(out, build.architecture);
  put_le(out, build.cluster_version);
  put_le(out, build.cluster_version_max);
}

Build get_build(ByteReader& reader) {
  Build build;
  build.name = reader.sized();
  build.architecture = reader.sized();
  build.cluster_version = reader.le<uint32_t>();
  build.cluster_version_max = reader.le<uint32_t>();
  return build;
}

}  // namespace kiwi::actors
