# Sourced by the scripts here: words to the user, and Debian packages that install themselves.
# Sets KIWI_ROOT, the top of the tree.

KIWI_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { echo "${0##*/}: $*"; }

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# What the product is built from, and what its tests use.
KIWI_BUILD_PACKAGES=(g++ cmake ninja-build ccache lld libcaf-dev libjemalloc-dev librocksdb-dev libboost-dev
  libboost-context1.74-dev liblua5.1-0-dev libcereal-dev doctest-dev libspdlog-dev libfmt-dev libssl-dev liburing-dev libxxhash-dev
  libisal-dev librapidcheck-dev python3)
KIWI_TEST_PACKAGES=(python3-pytest python3-pytest-xdist python3-redis redis-server redis-tools prometheus prometheus-redis-exporter clang-format iproute2 openssl
  debhelper dpkg-dev lintian man-db python3-yaml strace systemd)

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "needs root to install Debian packages, and there is no sudo; as root run: $*"
  fi
}

# need_packages NAME...: installs those that are missing and says so.
need_packages() {
  local missing=() package
  for package in "$@"; do
    if [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
      missing+=("$package")
    fi
  done
  [[ ${#missing[@]} == 0 ]] && return 0
  command -v apt-get >/dev/null ||
    fail "this machine has no apt-get; install what corresponds to: ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  local apt=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -y -o DPkg::Lock::Timeout=300)
  if ! { as_root "${apt[@]}" update && mask_services "${missing[@]}" &&
    as_root "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    fail "the packages could not be installed (whole output: $log)"
  fi
  rm -f "$log"
}

# Debian starts redis-server, etcd, prometheus and the exporter as services when they are installed; only their
# programs are wanted here (RUNLEVEL=1 says so where there is no systemd). systemctl unmask undoes it.
mask_services() {
  [[ -d /run/systemd/system ]] || return 0
  [[ " $* " != *" redis-server "* ]] || as_root systemctl mask redis-server
  [[ " $* " != *" etcd-server "* ]] || as_root systemctl mask etcd
  [[ " $* " != *" prometheus "* ]] || as_root systemctl mask prometheus
  [[ " $* " != *" prometheus-redis-exporter "* ]] || as_root systemctl mask prometheus-redis-exporter
}
