/** A program that reads hostile bytes and was taken over: what the kernel answers it. */
import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const { EPERM, ENOSYS, EINVAL, EBADF } = constants.errno;

/** Flags that the kernel itself refuses with EINVAL, so that no process comes of it: CLONE_FS goes with no new mounts. */
const CLONE_FS = 0x200;
const NAMESPACES = {
  mounts: 0x00020000,
  'control groups': 0x02000000,
  names: 0x04000000,
  ipc: 0x08000000,
  users: 0x10000000,
  processes: 0x20000000,
  networks: 0x40000000,
};

/** What system calls answer in a process of its own, which confines itself. */
function answers(calls: readonly (readonly [string, ...number[]])[]): number[] {
  const script = `
    import { confine } from ${JSON.stringify(join(ROOT, 'src/ffi/process/confine.ts'))};
    import { trySyscall } from ${JSON.stringify(join(ROOT, 'src/ffi/call/native.ts'))};
    confine();
    const calls = ${JSON.stringify(calls)};
    process.stdout.write(JSON.stringify(calls.map(([name, ...args]) => trySyscall(name, ...args))));
  `;
  const argv = ['--import', join(ROOT, 'test/support/run-typescript.mjs'), '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8', cwd: ROOT }));
}

test('it makes no namespace by clone, clone3 or unshare, and starts threads as before', () => {
  const clones = Object.values(NAMESPACES).map((flag) => ['clone', flag | CLONE_FS | 0x00020000, 0, 0, 0, 0] as const);
  const answered = answers([...clones, ['clone', CLONE_FS | 0x800, 0, 0, 0, 0], ['clone3', 0, 0], ['unshare', 0]]);
  // CLONE_SIGHAND without CLONE_VM is no thread: the filter lets it through, and the kernel refuses it.
  expect(answered).toEqual([...clones.map(() => -EPERM), -EINVAL, -ENOSYS, -EPERM]);
});

test('a socket that it takes over cannot be opened to others by SO_REUSEADDR; other options are set', () => {
  const [reuse, other, level] = answers([
    ['setsockopt', -1, 1, 2, 0, 0],
    ['setsockopt', -1, 1, 6, 0, 0],
    ['setsockopt', -1, 6, 2, 0, 0],
  ]);
  expect([reuse, other, level]).toEqual([0, -EBADF, -EBADF]);
});
