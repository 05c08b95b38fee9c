#!/bin/sh
# Stand-in for the entrypoint of the official image rabbitmq: the server runs as its own user, to which its data belongs.
set -eu
if [ "${1:-}" = rabbitmq-server ] && [ "$(id -u)" = 0 ]; then
  chown -R rabbitmq:rabbitmq /var/lib/rabbitmq
  exec /usr/bin/setpriv --reuid rabbitmq --regid rabbitmq --init-groups "$0" "$@"
fi
exec "$@"
