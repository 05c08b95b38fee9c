/** Time, chance and faults of a simulated world. Everything that happens, happens here in an order the seed decides. */

import type { Clock, Instant, Timers } from '../../src/model/clock.ts';
import type { ErrorCode } from '../../src/model/errors/error-catalogue.ts';
import type { ErrorClass } from '../../src/model/errors/error-class.ts';
import { TsdError } from '../../src/model/errors/errors.ts';

/** Unwinds the code of a supervisor that was killed: nothing it does after this has an effect. */
export class Killed extends Error {}

/** An invariant that does not hold. */
export class Broken extends Error {}

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

const macrotask = setImmediate;
/** Lets all promises that are ready run. */
function drained(): Promise<void> {
  return new Promise((resolve) => macrotask(resolve));
}

/** Does something that may be the end of the supervisor. */
export function survive(deed: () => void): void {
  try {
    deed();
  } catch (thrown) {
    if (!(thrown instanceof Killed)) throw thrown;
  }
}

/** FNV-1a with a final mix (murmur3's), as a number in [0, 1). */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** Numbers for one purpose each: leaving one use out does not change the others, so that traces can be shrunk. */
export class Chance {
  readonly #seed: string;
  readonly #uses = new Map<string, number>();

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** In [0, 1). */
  draw(purpose: string): number {
    const use = this.#uses.get(purpose) ?? 0;
    this.#uses.set(purpose, use + 1);
    return hash(`${this.#seed} ${purpose} ${use}`);
  }

  below(purpose: string, limit: number): number {
    return Math.floor(this.draw(purpose) * limit);
  }

  pick<T>(purpose: string, list: readonly T[]): T {
    const item = list[this.below(purpose, list.length)];
    if (item === undefined) throw new Error(`nothing to pick from for ${purpose}`);
    return item;
  }
}

export interface Fault {
  /** Beginning of the labels of the steps it is about; empty for all. */
  readonly what: string;
  /** The class of the error to fail with, or null to take longer. */
  readonly class: ErrorClass | null;
  readonly ms: number;
  left: number;
}

/** One code of each class, for errors that a driver or store might throw. */
const CODES: Readonly<Record<ErrorClass, ErrorCode>> = {
  invalid: 'TSD_BAD_REQUEST',
  unsupported: 'TSD_UNSUPPORTED_HOST',
  'not-found': 'TSD_NO_SUCH_RESOURCE',
  'already-exists': 'TSD_CONTAINER_SETUP',
  conflict: 'TSD_PORT_IN_USE',
  precondition: 'TSD_NETWORK',
  unavailable: 'TSD_SYSCALL',
  exhausted: 'TSD_DISK_FULL',
  timeout: 'TSD_TIMEOUT',
  denied: 'TSD_SYSCALL',
  'data-loss': 'TSD_SYSCALL',
  bug: 'TSD_SYSCALL',
};

/** The beginning of the step of every error that was made to happen. */
export const INJECTED = 'injected:';

const FIRST_WALL_MS = 1_800_000_000_000;
const FIRST_BOOT_MS = 100_000;

export class Universe implements Clock {
  readonly chance: Chance;
  readonly #tasks = new Set<Task>();
  #order = 0;
  #now = 0;
  #bootedAt = -FIRST_BOOT_MS;
  #wallOffset = FIRST_WALL_MS;
  boot = 1;
  faults: Fault[] = [];
  /** Steps and waits until the supervisor is killed; null when it is left alone. */
  crashIn: number | null = null;
  /** No more chance: short latencies, no faults. */
  calm = false;
  /** Steps that changed something. */
  steps = 0;
  broken: Broken | null = null;

  constructor(seed: string) {
    this.chance = new Chance(seed);
  }

  get elapsedMs(): number {
    return this.#now;
  }

  now(): Instant {
    return { wallMs: this.#wallOffset + this.#now, bootMs: this.#now - this.#bootedAt };
  }

  jumpWall(ms: number): void {
    this.#wallOffset += ms;
  }

  reboot(): void {
    this.boot += 1;
    this.#bootedAt = this.#now - 5_000;
  }

  get bootId(): string {
    return `boot-${this.boot}`;
  }

  at(ms: number, run: () => void): () => void {
    const task = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#tasks.add(task);
    return () => this.#tasks.delete(task);
  }

  /** The first broken invariant ends the run. */
  breaks(what: string): void {
    this.broken ??= new Broken(`${what} (at ${Math.round(this.#now)} ms)`);
  }

  /** Lets time pass; whatever falls due happens in order. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await drained();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#tasks.delete(next);
      this.#now = Math.max(this.#now, next.at);
      survive(next.run);
      await drained();
      if (this.broken) throw this.broken;
    }
    this.#now = end;
  }

  #next(end: number): Task | undefined {
    let first: Task | undefined;
    for (const task of this.#tasks) {
      if (task.at > end) continue;
      if (!first || task.at < first.at || (task.at === first.at && task.order < first.order)) first = task;
    }
    return first;
  }

  takeFault(label: string, failing: boolean): Fault | undefined {
    const fault = this.faults.find(({ what, class: errorClass, left }) => {
      return left > 0 && label.startsWith(what) && (errorClass !== null) === failing;
    });
    if (fault) fault.left -= 1;
    return fault;
  }
}

/** One process of the supervisor, from its start until it is killed. */
export class Life implements Timers {
  readonly universe: Universe;
  readonly #timers = new Set<() => void>();
  #alive = true;
  /** True while nothing may fail: what the start of a supervisor does not survive. */
  sheltered = false;
  onDeath: () => void = () => {};

  constructor(universe: Universe) {
    this.universe = universe;
  }

  get alive(): boolean {
    return this.#alive;
  }

  die(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.onDeath();
  }

  after(ms: number, task: () => void): () => void {
    if (!this.#alive) return () => {};
    const cancel = this.universe.at(ms, () => {
      this.#timers.delete(cancel);
      task();
    });
    this.#timers.add(cancel);
    return () => {
      cancel();
      this.#timers.delete(cancel);
    };
  }

  /** Before every change of disk or kernel: here the supervisor may be killed, or the change may fail. */
  step(label: string): void {
    if (!this.#alive) throw new Killed(label);
    const { universe } = this;
    universe.steps += 1;
    if (this.#isKilled()) throw new Killed(label);
    if (this.sheltered) return;
    const fault = universe.takeFault(label, true);
    if (!fault?.class) return;
    throw new TsdError(CODES[fault.class], `${label} failed`, { class: fault.class, step: `${INJECTED} ${label}` });
  }

  /** For what takes time, and may be the end. Never comes back in a supervisor that was killed meanwhile. */
  pause(label: string): Promise<void> {
    return new Promise((resolve) => {
      const latency = this.#latency(label);
      const dies = this.#alive && this.#isDue();
      this.after(latency, () => (dies ? this.die() : resolve()));
    });
  }

  /** For what is given up after some time; resolves false then. */
  pauseAtMost(label: string, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const latency = this.#latency(label);
      this.after(Math.min(latency, ms), () => resolve(latency <= ms));
    });
  }

  /** Counts towards the crash that was asked for. */
  #isDue(): boolean {
    const { universe } = this;
    if (universe.crashIn === null) return false;
    universe.crashIn -= 1;
    if (universe.crashIn >= 0) return false;
    universe.crashIn = null;
    return true;
  }

  #isKilled(): boolean {
    const dies = this.#isDue();
    if (dies) this.die();
    return dies;
  }

  #latency(label: string): number {
    const { universe } = this;
    const short = universe.chance.draw(`latency ${label}`) * 3;
    if (universe.calm) return short;
    const fault = universe.takeFault(label, false);
    if (fault) return fault.ms;
    const luck = universe.chance.draw(`luck ${label}`);
    return luck < 0.85 ? short : luck < 0.97 ? short * 20 : short * 500;
  }
}
