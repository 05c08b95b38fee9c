/** GET /version. */
import type { VersionView } from '../../api/version.ts';
import { NEWEST_API, OLDEST_API } from '../wire/versions.ts';

/** Go's names of architectures, by Node's. */
const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };

const goArch = (arch: string): string => GO_ARCH[arch] ?? arch;

export function versionAnswer({ version, commit, node, kernel }: VersionView, arch: string): unknown {
  const details = {
    ApiVersion: NEWEST_API,
    Arch: goArch(arch),
    BuildTime: '',
    Experimental: 'false',
    GitCommit: commit,
    // Clients print it; the runtime that it names is Node.
    GoVersion: `node ${node}`,
    KernelVersion: kernel,
    MinAPIVersion: OLDEST_API,
    Os: 'linux',
  };
  const { Experimental: _, ...rest } = details;
  return {
    Platform: { Name: 'tsdocker' },
    Components: [{ Name: 'Engine', Version: version, Details: details }],
    Version: version,
    ...rest,
  };
}
