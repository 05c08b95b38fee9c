#!/bin/sh
# Stand-in for the entrypoint of the image eclipse-mosquitto.
set -e
if [ "$(id -u)" = 0 ] && [ -d /mosquitto ]; then chown -R mosquitto:mosquitto /mosquitto || true; fi
exec "$@"
