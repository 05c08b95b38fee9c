#!/bin/sh
# Stand-in for the entrypoint of the official image nextcloud: the first start copies the program into its volume.
set -eu
if [ ! -e /var/www/html/server.mjs ]; then
  cp -r /usr/src/nextcloud/. /var/www/html/
  mkdir -p /var/www/html/data
  chown -R www-data:www-data /var/www/html
fi
exec "$@"
