import { readFileSync } from 'node:fs';
import type { Fingerprint } from '../../contract/driver.ts';
import type { Shortcoming } from './cgroups/v1-groups.ts';
import type { ShimBinary } from './shim/shim-binary.ts';

/** In a chroot to a plain directory the kernel refuses to change how its mounts spread (mount(2), EINVAL). */
function isRootMounted(): boolean {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return mounts.some((line) => line.split(' ', 5)[4] === '/');
}

export function fingerprintNative(binary: ShimBinary, shortcomings: readonly Shortcoming[]): Fingerprint {
  const problems: { what: string; fix: string }[] = [];
  try {
    binary.open();
  } catch (error) {
    problems.push({ what: (error as Error).message, fix: 'Run `npm run build`.' });
  }
  if (!isRootMounted()) {
    problems.push({
      what: 'the root directory of this process is no mount, so mounts of containers cannot be kept apart from the host',
      fix: 'Before entering a chroot, bind its directory onto itself: mount --bind DIR DIR.',
    });
  }
  const works = problems.length === 0;
  for (const { hierarchy, reason } of shortcomings) {
    problems.push({
      what: `containers have no control group of their own in the hierarchy ${hierarchy}, and share that of the supervisor: ${reason}`,
      fix: 'Mount it so that root can write there, and restart the containers; where that cannot be, do not give containers privileges.',
    });
  }
  return { works, problems, attributes: { shim: binary.path } };
}
