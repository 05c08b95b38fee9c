#!/bin/sh
# Stand-in for the entrypoint of the image valkey/valkey, as far as its page documents it.
set -e

case "${1:-}" in -* | *.conf) set -- valkey-server "$@" ;; esac

if [ "${1:-}" = valkey-server ]; then
  if [ "$(id -u)" = 0 ]; then
    chown -R valkey:valkey .
    exec /usr/bin/setpriv --reuid valkey --regid valkey --init-groups "$0" "$@"
  fi
  umask 0077
  # In the public image protected mode is off by default.
  set -- "$@" --protected-mode no
fi

exec "$@"
