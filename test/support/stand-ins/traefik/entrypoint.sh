#!/bin/sh
# Stand-in for the entrypoint of the official image traefik.
set -e
case "${1:-}" in -*) set -- traefik "$@" ;; esac
exec "$@"
