/**
 * The control group of an instance's resolvers, beside that of its containers: what ends the supervisor's own group leaves them,
 * and whoever finds none of their sockets finds them here.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { unifiedPlace } from '../../ffi/host/cgroup-mounts.ts';
import { KERNEL_FILES } from '../../ffi/host/host-files.ts';
import { readSysinfo } from '../../ffi/host/sysinfo.ts';
import { TsdError } from '../../model/errors/errors.ts';

const LOOK_AGAIN_MS = 5;
const GIVE_UP_MS = 5_000;

export class ResolverGroup {
  readonly #instance: string;
  #known: string | null = null;

  constructor(instance: string) {
    this.#instance = instance;
  }

  /** @throws TsdError TSD_UNSUPPORTED_HOST without a unified hierarchy, and what mkdir(2) and write(2) say. */
  enter(pid: number): void {
    mkdirSync(this.#path, { recursive: true });
    writeFileSync(join(this.#path, 'cgroup.procs'), String(pid), { flag: 'r+' });
  }

  pids(): readonly number[] {
    const text = existsSync(this.#path) ? readFileSync(join(this.#path, 'cgroup.procs'), 'utf8') : '';
    return text.split('\n').filter(Boolean).map(Number);
  }

  /** Bytes that its processes use, with what the kernel keeps for them; null where that is not counted. */
  memory(): number | null {
    const file = join(this.#path, 'memory.current');
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
  }

  /** Kills all in it, and removes it. @throws TsdError TSD_TIMEOUT naming who does not end. */
  async clear(): Promise<void> {
    if (!existsSync(this.#path)) return;
    writeFileSync(join(this.#path, 'cgroup.kill'), '1', { flag: 'r+' });
    const deadline = performance.now() + GIVE_UP_MS;
    // It is busy for a moment longer than a process is in it.
    while (!this.removeEmpty()) {
      if (performance.now() > deadline) {
        throw new TsdError('TSD_TIMEOUT', `the resolver (pid ${this.pids().join(', ')}) does not end`);
      }
      await delay(LOOK_AGAIN_MS);
    }
  }

  /** @returns false while something is in it */
  removeEmpty(): boolean {
    try {
      rmdirSync(this.#path);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'EBUSY') throw error;
      return code === 'ENOENT';
    }
    return true;
  }

  get #path(): string {
    this.#known ??= this.#find();
    return this.#known;
  }

  #find(): string {
    const own = readFileSync('/proc/self/cgroup', 'utf8');
    const place = unifiedPlace(readSysinfo().cgroupMounts, own, (path) => KERNEL_FILES.isDelegated(path));
    if (place !== null) return join(place.directory, `tsdocker-${this.#instance}-names`);
    throw new TsdError('TSD_UNSUPPORTED_HOST', 'the unified control group hierarchy is not mounted');
  }
}
