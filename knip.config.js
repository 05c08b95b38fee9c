/**
 * What nothing uses. `knip` counts tests as users: an export that no other file imports is no export. `knip --production`
 * does not: what only tests reach is no part of the program. An export that its own file uses, and a test of it alone, is
 * marked `@internal`.
 */
const isProduction = process.argv.includes('--production');

const PROGRAM = [
  'src/cli/index.ts',
  'src/main.ts',
  'src/resolver/main.ts',
  'scripts/*.mjs',
  'bench/**/*.mjs',
  'bench/unpack/product.ts',
  'examples/**/*.mjs',
];

export default {
  entry: [...PROGRAM.map((path) => `${path}!`), 'test/**/*.test.ts', 'test/**/*.child.ts'],
  project: ['src/**/*.ts!', 'scripts/**!', 'bench/**!', 'test/**/*.ts'],
  // Engine jobs for events keep their backlog in it; it is a part of the engine that has no caller yet.
  ignoreFiles: isProduction ? ['src/engine/events.ts'] : [],
  ignoreBinaries: [
    'cc',
    'chrt',
    'gcc',
    'musl-gcc',
    'dockerd',
    'podman',
    'dpkg',
    'dpkg-deb',
    'dpkg-query',
    'make',
    'perl',
    'prlimit',
    'tc',
    'mount',
    'umount',
    'unshare',
    'nginx',
    'skopeo',
    'umoci',
    'mkfifo',
    'nft',
    'mkfs.btrfs',
    'ip',
    'script',
    'docker-compose',
    'docker-registry',
    'buildah',
    'openssl',
    'htpasswd',
    'promtool',
    'journalctl',
    'dmsetup',
    'losetup',
    'qemu-img',
    'qemu-system-x86_64',
    'mke2fs',
    'chattr',
    'setsid',
    'nsenter',
  ],
};
