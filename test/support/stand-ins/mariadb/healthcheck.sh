#!/bin/sh
# Stand-in for healthcheck.sh of the official image mariadb: --connect and --innodb_initialized.
set -eu
ask() { mariadb --defaults-file=/var/lib/mysql/.my-healthcheck.cnf --skip-ssl -h 127.0.0.1 -BN -e "$1"; }
for test in "$@"; do
  case "$test" in
    --connect) ask 'SELECT 1' >/dev/null ;;
    --innodb_initialized)
      # Those that root alone may read are left out.
      ask "SELECT 1 FROM information_schema.ENGINES WHERE engine = 'innodb' AND support IN ('YES', 'DEFAULT')" | grep -q 1
      ;;
    *) echo "unknown test $test" >&2; exit 1 ;;
  esac
done
