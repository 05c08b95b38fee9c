/** What a host must be to run containers at all. Pure. */

interface HostProblem {
  readonly what: string;
  readonly fix: string;
}

/** Those that the tables of system calls and the shim are for, in the words of Node. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64'];

/** @param release of uname(2), such as 6.12.48+deb13-amd64 */
export function kernelProblem(release: string): HostProblem | null {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  if (major > 6 || (major === 6 && minor >= 8)) return null;
  return {
    what: `Linux ${release} is too old`,
    fix: 'tsdocker needs Linux 6.8 or newer for the fd-based overlay mounts; Debian 13 has 6.12.',
  };
}

export function architectureProblem(architecture: string): HostProblem | null {
  if (ARCHITECTURES.includes(architecture)) return null;
  return {
    what: `this host's architecture ${architecture} is not supported`,
    fix: 'Use a host with an x86-64 or arm64 processor, and a Node of the same architecture.',
  };
}
