#!/bin/sh
# Stand-in for the entrypoint of the official image redis, as far as its page documents it.
set -e

case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac

if [ "${1:-}" = redis-server ]; then
  if [ "$(id -u)" = 0 ]; then
    chown -R redis:redis .
    exec /usr/bin/setpriv --reuid redis --regid redis --init-groups "$0" "$@"
  fi
  umask 0077
  # In the official image protected mode is off by default, and options for its modules are appended.
  set -- "$@" --protected-mode no
fi

exec "$@"
