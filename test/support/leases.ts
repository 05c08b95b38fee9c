/** Numbers that only one test process of this machine uses at a time: ports, networks. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = '/tmp/tsdocker-test-leases';
/** A process that is gone leaves its leases; none is that old while its owner writes it. */
const STALE_MS = 60_000;

const held = new Set<string>();
process.once('exit', () => {
  for (const path of held) rmSync(path, { force: true });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function clearStale(path: string): void {
  try {
    if (Date.now() - statSync(path).mtimeMs < STALE_MS || isAlive(Number(readFileSync(path, 'utf8')))) return;
    rmSync(path, { force: true });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}

/** Takes `what` for as long as this process lives; false when another process has it, or this one took it before. */
export function lease(what: string): boolean {
  mkdirSync(DIRECTORY, { recursive: true });
  const path = join(DIRECTORY, what);
  clearStale(path);
  try {
    const fd = openSync(path, 'wx');
    writeSync(fd, `${process.pid}`);
    closeSync(fd);
    held.add(path);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  }
}

/** Gives back what {@link lease} took. */
export function release(what: string): void {
  const path = join(DIRECTORY, what);
  if (held.delete(path)) rmSync(path, { force: true });
}
