#include "config/cluster_settings.hpp"

#include "config/limits.hpp"
#include "config/options_table.hpp"

namespace kiwi::config {
namespace {

const OptionRow* find_setting(std::string_view name) {
  const OptionRow* row = find_option(name);
  return row != nullptr && (row->flags & kCluster) != 0 ? row : nullptr;
}

bool may_be_set(const OptionRow& row, uint32_t cluster_version) {
  return (row.flags & kCluster) != 0 && row.name != kClusterVersionSetting &&
         brought_by(row.flags) <= cluster_version;
}

}  // namespace

bool is_cluster_setting(std::string_view name) { return find_setting(name) != nullptr; }

Whose whose_options(std::span<const std::string_view> names_and_values) {
  bool node = false;
  bool cluster = false;
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    (is_cluster_setting(names_and_values[i]) ? cluster : node) = true;
  }
  return node && cluster ? Whose::kBoth : cluster ? Whose::kCluster : Whose::kNode;
}

// The options below are no node's: only a place for the parser to write to.
std::optional<Setting> setting_of(std::string_view name,
                                  std::string_view value,
                                  uint32_t cluster_version) {
  const OptionRow* row = find_setting(name);
  Options scratch;
  if (row == nullptr || !may_be_set(*row, cluster_version) ||
      value.size() > limits::kSettingBytes || row->parse(scratch, value)) {
    return std::nullopt;
  }
  Setting setting{std::string(row->name), row->print(scratch)};
  if (setting.value.size() > limits::kSettingBytes) {
    return std::nullopt;
  }
  return setting;
}

Result<std::vector<Setting>> settings_to_propose(const Options& options,
                                                 std::span<const std::string_view> names_and_values,
                                                 uint32_t cluster_version) {
  Options changed = options;
  if (Result<void> checked = set(changed, names_and_values); !checked) {
    return checked.error();
  }
  std::vector<Setting> settings;
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    const std::string name(names_and_values[i]);
    const std::string failed = "CONFIG SET failed (possibly related to argument '" + name + "') - ";
    const OptionRow* row = find_setting(name);
    if (row == nullptr) {
      return Error{Errc::kInvalid, failed + "it is an option of the node"};
    }
    if (const uint32_t since = brought_by(row->flags); since > cluster_version) {
      return Error{Errc::kInvalid, failed + "it needs cluster version " + std::to_string(since) +
                                       ", and this cluster is at " +
                                       std::to_string(cluster_version)};
    }
    std::optional<Setting> setting =
        setting_of(row->name, names_and_values[i + 1], cluster_version);
    if (!setting) {
      return Error{Errc::kInvalid, failed + "argument must be at most " +
                                       std::to_string(limits::kSettingBytes) + " bytes long"};
    }
    settings.push_back(std::move(*setting));
  }
  return settings;
}

std::vector<Setting> settings_to_seed(const Options& options, uint32_t cluster_version) {
  std::vector<Setting> settings;
  for (const OptionRow& row : option_rows()) {
    if (!row.name.empty() && may_be_set(row, cluster_version)) {
      settings.push_back({std::string(row.name), row.print(options)});
    }
  }
  return settings;
}

bool take_setting(Options& options, const Setting& setting) {
  const OptionRow* row = find_setting(setting.name);
  return row != nullptr && !row->parse(options, setting.value);
}

}  // namespace kiwi::config
