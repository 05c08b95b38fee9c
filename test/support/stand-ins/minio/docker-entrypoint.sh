#!/bin/sh
# Stand-in for the entrypoint of minio/minio.
if [ "${1:-}" != minio ]; then set -- minio "$@"; fi
exec "$@"
