#!/bin/bash
# Runs in the guest: carries out commands that come over the virtio-serial port, one a line.
# Request: base64 of a bash script. Answer: exit status, base64 of stdout, base64 of stderr. A boot begins with `ready`.
port=/dev/virtio-ports/tsdocker.test
exec 3<>"$port"
printf 'ready %s\n' "$(cat /proc/sys/kernel/random/boot_id)" >&3
while true; do
  # End of file: nobody is connected on the host.
  if ! IFS= read -r request <&3; then
    sleep 0.2
    continue
  fi
  printf '%s' "$request" | base64 -d >/run/agent.request
  bash /run/agent.request >/run/agent.out 2>/run/agent.err </dev/null 3>&-
  status=$?
  printf '%s %s %s\n' "$status" "$(base64 -w0 /run/agent.out)=" "$(base64 -w0 /run/agent.err)=" >&3
done
