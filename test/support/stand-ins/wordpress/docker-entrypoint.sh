#!/bin/sh
# Stand-in for the entrypoint of the official image wordpress: the first start copies the program into its volume.
set -eu
if [ ! -e server.mjs ]; then
  cp -r /usr/src/wordpress/. .
  mkdir -p wp-content/uploads
  chown -R www-data:www-data .
fi
exec "$@"
