#!/usr/bin/env bash
# Makes a fresh Debian machine able to run one of: demo, test, test:all. Says what it installs before it does.
# Usage: scripts/bootstrap.sh COMMAND [ARG ...]
set -euo pipefail
cd "$(dirname "$0")/.."

need_packages=(gcc make g++ python3 libc6-dev libnftables1 libzstd1)
test_packages=(apache2-utils bind9-dnsutils busybox-static docker-registry btrfs-progs libseccomp2 musl-tools nftables iproute2 iptables nginx-light postgresql prometheus redis-server rsyslog skopeo systemd umoci util-linux
  docker.io docker-cli docker-compose ufw firewalld dbus # other firewalls beside ours
  caddy mariadb-client-core mariadb-server-core mosquitto mosquitto-clients nats-server rabbitmq-server valkey-server) # ready-made manifests
# Of these only the programs are wanted, not the services.
server_packages=(docker-registry prometheus redis-server docker.io firewalld ufw caddy mosquitto nats-server rabbitmq-server valkey-server)
e2e_packages=(buildah netavark chromium mmdebstrap qemu-system-x86 qemu-utils zstd e2fsprogs debian-archive-keyring)

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 1; }

# Mirrors and registries fail for moments: three tries, with a pause that grows.
again() {
  local try
  for try in 1 2 3; do
    "$@" && return
    [ "$try" = 3 ] && break
    say "failed, trying again: $*"
    sleep $((try * 5))
  done
  return 1
}

check_host() {
  [ "$(uname -s)" = Linux ] || fail "tsdocker runs on Linux only" "use a Linux machine or virtual machine"
  [ "$(id -u)" = 0 ] || fail "this needs root: namespaces, mounts and network interfaces are made" "run it with sudo"
  command -v node >/dev/null || fail "Node.js is missing" "apt-get install nodejs npm"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js $(node --version) is too old" "install 20.19 or newer (Debian 13 has it)"
}

# Another apt, such as that of a timer, ends within minutes.
apt_install() {
  local options=(-qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  apt-get "${options[@]}" update &&
    DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -y --no-install-recommends "$@" >/dev/null
}

# Services of the packages are not started: only their programs are wanted.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "missing: ${missing[*]}" "install these with your package manager"
  say "installing Debian packages: ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d made_policy=no
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
  fi
  local status=0
  again apt_install "${missing[@]}" || status=$?
  [ "$made_policy" = yes ] && rm -f "$policy"
  [ "$status" = 0 ] || fail "apt-get could not install: ${missing[*]}" "see its output above"
  keep_services_off "${missing[@]}"
}

# Nor do they come up with the next boot, a firewall least of all: those that packages installed just now have brought.
keep_services_off() {
  local package unit
  for package in "$@"; do
    [[ " ${server_packages[*]} " == *" $package "* ]] || continue
    for unit in $(dpkg -L "$package" | sed -n 's|^\(/usr\)\?/lib/systemd/system/\([^/@]*\.\(service\|socket\)\)$|\2|p'); do
      systemctl disable "$unit" >/dev/null 2>&1 || say "$unit may start at the next boot: systemctl disable $unit"
    done
  done
}

# better-sqlite3 is compiled here; Debian ships Node's headers as a package, so nothing is downloaded for it.
install_modules() {
  if [ -f /usr/include/node/node.h ]; then
    export npm_config_nodedir=/usr
  elif dpkg-query -S "$(readlink -f "$(command -v node)")" >/dev/null 2>&1; then
    install_packages libnode-dev
    export npm_config_nodedir=/usr
  fi
  local stamp=node_modules/.tsdocker-lock
  if ! cmp -s package-lock.json "$stamp"; then
    say "installing npm packages (compiles better-sqlite3: one to two minutes)"
    again npm ci --no-audit --no-fund
    node -e 'import("better-sqlite3").then((m) => new m.default(":memory:"))' 2>/dev/null || npm rebuild better-sqlite3
    cp package-lock.json "$stamp"
  fi
}

check_host
command=${1:-}
shift || true
case "$command" in
  demo)
    install_packages "${need_packages[@]}" iproute2 nftables
    install_modules
    say "building"
    npm run --silent build
    exec node scripts/demo.mjs "$@"
    ;;
  test | test:all)
    install_packages "${need_packages[@]}" "${test_packages[@]}"
    if [ "$command" = test:all ]; then install_packages "${e2e_packages[@]}"; fi
    install_modules
    say "building"
    npm run --silent build
    exec node scripts/run-tests.mjs "$command" "$@"
    ;;
  prepare)
    install_packages "${need_packages[@]}"
    install_modules
    npm run --silent build
    ;;
  *) fail "unknown command: $command" "use demo, test, test:all or prepare" ;;
esac
