/** Images under the names that the suite uses, made of this host's static busybox, in a registry that plays Docker Hub. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { findBusybox, type ImageFixture, type TarFixture, tarOf } from '../../support/images.ts';
import type { RegistryServer } from '../../support/registry.ts';

const USERS = [
  'root:x:0:0:root:/root:/bin/sh',
  'bin:x:1:1:bin:/bin:/bin/false',
  'daemon:x:2:2:daemon:/sbin:/bin/false',
  'operator:x:11:0:operator:/root:/bin/sh',
  'postgres:x:70:70::/var/lib/postgresql:/bin/sh',
  'nobody:x:65534:65534:nobody:/:/bin/false',
];
const GROUPS = [
  'root:x:0:root',
  'bin:x:1:root',
  'daemon:x:2:root',
  'postgres:x:70:',
  'users:x:100:',
  'nobody:x:65534:',
];
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const directory = (path: string, mode = 0o755): TarFixture => ({ path, type: 'directory', mode });

/** @param release what tells this image from others of the same programs */
function busyboxRoot(program: string, release: string): Buffer {
  const list = execFileSync(program, ['--list-full'], { encoding: 'utf8' }).trim().split('\n');
  const applets = list.filter((path) => path !== 'bin/busybox');
  const folders = ['bin/', 'sbin/', 'usr/', 'usr/bin/', 'usr/sbin/', 'etc/', 'dev/', 'home/', 'proc/', 'sys/', 'var/'];
  return tarOf(
    ...[...folders, 'mnt/', 'opt/', 'run/', 'srv/', 'lib/', 'media/', 'usr/local/', 'usr/local/bin/', 'var/opt/'].map(
      (path) => directory(path),
    ),
    directory('root/', 0o700),
    directory('tmp/', 0o1777),
    { path: 'bin/busybox', content: readFileSync(program), mode: 0o755 },
    ...applets.map((path): TarFixture => ({ path, type: 'symlink', linkname: '/bin/busybox' })),
    { path: 'etc/passwd', content: `${USERS.join('\n')}\n`, mode: 0o644 },
    { path: 'etc/group', content: `${GROUPS.join('\n')}\n`, mode: 0o644 },
    { path: 'etc/alpine-release', content: `${release}\n`, mode: 0o644 },
  );
}

function images(): Readonly<Record<string, ImageFixture>> {
  const program = findBusybox();
  if (program === null) throw new Error('busybox-static is not installed');
  const shell = (release: string): ImageFixture => ({
    layers: [busyboxRoot(program, release)],
    config: { Cmd: ['/bin/sh'], Env: [PATH] },
    history: [{ created: '2024-05-06T07:08:09.123456789Z', created_by: `stand-in for ${release}` }],
  });
  const hello = { path: 'hello', content: 'Hello from a stand-in!\n'.repeat(100), mode: 0o644 };
  return {
    'library/alpine:3.10': shell('3.10.9'),
    'library/alpine:latest': shell('3.20.0'),
    'library/busybox:latest': shell('busybox'),
    'library/hello-world:latest': { layers: [tarOf(hello)], config: { Cmd: ['/hello'], Env: [PATH] } },
  };
}

/** The references that daemons hold before the suite begins; it pulls the others itself. */
export const HELD = [
  ['alpine', '3.10'],
  ['alpine', 'latest'],
  ['busybox', 'latest'],
] as const;

export async function fillRegistry(registry: RegistryServer): Promise<void> {
  for (const [name, image] of Object.entries(images())) await registry.fill(name, image);
}
