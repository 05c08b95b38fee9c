#!/bin/sh
# Stand-in for /run.sh of grafana/grafana: GF_NAME__FILE becomes GF_NAME with what the file holds.
set -eu
for name in $(env | sed -n 's/^\(GF_[A-Za-z0-9_]*\)__FILE=.*/\1/p'); do
  eval "file=\$${name}__FILE"
  export "$name=$(cat "$file")"
  unset "${name}__FILE"
done
exec node /usr/share/grafana/grafana.mjs
