#!/bin/sh
# Stand-in for extra/entrypoint.sh of louislam/uptime-kuma: its data belongs to PUID and PGID.
set -e
chown -hRc "${PUID:-0}:${PGID:-0}" /app/data
exec /usr/bin/setpriv --reuid="${PUID:-0}" --regid="${PGID:-0}" --clear-groups "$@"
