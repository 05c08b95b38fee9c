#!/bin/sh
# Stand-in for the entrypoint of the official image mariadb, as far as its page documents it.
set -eu

data=/var/lib/mysql
sql=/usr/share/mariadb

case "${1:-}" in -*) set -- mariadbd "$@" ;; esac
if [ "${1:-}" != mariadbd ]; then exec "$@"; fi

if [ "$(id -u)" = 0 ]; then
  mkdir -p /run/mysqld
  chown -R mysql:mysql "$data" /run/mysqld
  exec /usr/bin/setpriv --reuid mysql --regid mysql --init-groups "$0" "$@"
fi

# NAME, or what the file that NAME_FILE names holds.
value() {
  eval "text=\${$1:-} file=\${$1_FILE:-}"
  if [ -n "$file" ]; then cat "$file"; else printf %s "$text"; fi
}

if [ ! -d "$data/mysql" ]; then
  root=$(value MARIADB_ROOT_PASSWORD) password=$(value MARIADB_PASSWORD)
  [ -n "$root" ] || { echo 'MARIADB_ROOT_PASSWORD is not set' >&2; exit 1; }
  health=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
  {
    # It reads one statement a line.
    printf '%s\n' 'CREATE DATABASE mysql;' 'USE mysql;' 'SET @auth_root_socket = NULL;' 'SET @skip_auth_anonymous = 1;'
    cat "$sql/mariadb_system_tables.sql" "$sql/mariadb_performance_tables.sql" "$sql/mariadb_system_tables_data.sql"
    echo 'FLUSH PRIVILEGES;'
    echo "CREATE OR REPLACE USER root@localhost IDENTIFIED BY '$root';"
    echo 'GRANT ALL ON *.* TO root@localhost WITH GRANT OPTION;'
    echo "CREATE OR REPLACE USER healthcheck@localhost IDENTIFIED BY '$health';"
    echo "CREATE OR REPLACE USER healthcheck@127.0.0.1 IDENTIFIED BY '$health';"
    if [ -n "${MARIADB_DATABASE:-}" ]; then echo "CREATE DATABASE $MARIADB_DATABASE;"; fi
    if [ -n "${MARIADB_USER:-}" ]; then
      echo "CREATE OR REPLACE USER $MARIADB_USER@'%' IDENTIFIED BY '$password';"
      if [ -n "${MARIADB_DATABASE:-}" ]; then echo "GRANT ALL ON $MARIADB_DATABASE.* TO $MARIADB_USER@'%';"; fi
    fi
  } | mariadbd --no-defaults --bootstrap --datadir="$data" --lc-messages-dir="$sql" --log-warnings=0
  umask 077
  printf '[client]\nuser=healthcheck\npassword=%s\nprotocol=tcp\nport=3306\n' "$health" >"$data/.my-healthcheck.cnf"
fi

shift
exec mariadbd --no-defaults --datadir="$data" --socket=/run/mysqld/mysqld.sock --lc-messages-dir="$sql" \
  --bind-address=0.0.0.0 --innodb-buffer-pool-size=16M "$@"
