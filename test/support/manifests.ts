/** Building blocks of test manifests. */

/** An image of this host's static busybox, whose shell has all applets built in. */
export const BUSYBOX_IMAGE = 'images:\n  busybox: { host: [busybox] }\n';

/** A manifest of containers on {@link BUSYBOX_IMAGE}. @param containers indented by two */
export const app = (containers: string): string => `${BUSYBOX_IMAGE}containers:\n${containers}`;

/** The end of a script that runs until its stop signal. */
export const IDLE = 'trap "exit 0" TERM; sleep 3600 & wait';

/** A command that runs a busybox shell script. */
export function shell(script: string): string {
  return JSON.stringify(['busybox', 'sh', '-c', script]);
}

/** Runs until its stop signal, and then ends at once. */
export const FOREVER = shell('trap "exit 0" TERM; while :; do sleep 3600 & wait; done');
