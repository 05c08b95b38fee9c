/** The real controller, executor and engine on a host of data, under a clock that is moved by hand. */
import { Engine } from '../../src/engine/engine.ts';
import type { DesiredState } from '../../src/model/desired.ts';
import { TsdError } from '../../src/model/errors/errors.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import type { OpContext, OpHandlers } from '../../src/reconcile/executor.ts';
import { Executor } from '../../src/reconcile/executor.ts';
import type { PassReport } from '../../src/reconcile/loop/controller.ts';
import { Controller } from '../../src/reconcile/loop/controller.ts';
import type { Op } from '../../src/reconcile/op.ts';
import { OP_TRAITS } from '../../src/reconcile/op-traits.ts';
import type { App } from './declare.ts';
import { declare } from './declare.ts';
import { ManualTime, settled } from './manual-time.ts';
import { PureHost } from './pure-host.ts';

/** The same handler for every op. */
export function everyOp(handler: (op: Op, context: OpContext) => Promise<void>): OpHandlers {
  return Object.fromEntries(Object.keys(OP_TRAITS).map((type) => [type, handler])) as unknown as OpHandlers;
}

export class Simulation {
  readonly time = new ManualTime();
  readonly host = new PureHost();
  readonly controller: Controller;
  readonly reports: PassReport[] = [];
  readonly defects: { readonly error: TsdError; readonly keys: readonly ResourceKey[] }[] = [];
  /** Ids of ops in the order they were carried out. */
  readonly done: string[] = [];
  /** Called before an op takes effect; may wait or throw. */
  beforeOp: (op: Op, signal: AbortSignal) => Promise<void> | void = () => {};
  /** What an op still waits for. */
  tooEarly: (op: Op) => string | null = () => null;
  /** Called before a look; may wait. */
  beforeObserve: () => Promise<void> | void = () => {};
  /** The disk is full: failures are kept in memory only. */
  failuresUnwritable = false;
  onReport: (report: PassReport) => void = () => {};
  desired: DesiredState = declare({});

  constructor({ started = true } = {}) {
    const { time, host } = this;
    const executor = new Executor({
      handlers: everyOp((op, { signal }) => this.#carryOut(op, signal)),
      engine: new Engine({ clock: time, timers: time }),
      journal: { begin: () => {}, end: () => {} },
      clock: time,
      timers: time,
      concurrency: 4,
    });
    this.controller = new Controller({
      desired: () => this.desired,
      observe: () => {
        const look = () => {
          host.bootMs = time.now().bootMs;
          return host.observe();
        };
        return this.beforeObserve()?.then(look) ?? look();
      },
      executor,
      tooEarly: (op) => this.tooEarly(op),
      failures: {
        get: (key) => host.failures.get(key),
        record: (key, failure) => {
          host.failures.set(key, failure);
          if (this.failuresUnwritable) throw new TsdError('TSD_DISK_FULL', 'history.db: disk full');
        },
        clear: (key) => host.failures.delete(key),
        keys: () => host.failures.keys(),
      },
      clock: time,
      timers: time,
      seed: () => 'seed',
      onPass: (report) => {
        this.reports.push(report);
        this.onReport(report);
      },
      onDefect: (error, keys) => this.defects.push({ error, keys }),
      resyncMs: 60_000,
    });
    if (started) this.controller.start();
  }

  /** Declares and lets the loop work until it rests. */
  async declare(apps: Readonly<Record<string, App>>): Promise<void> {
    this.desired = declare(apps, this.desired.generation + 1);
    this.controller.resync();
    await this.controller.settled();
  }

  /** Lets time go by in small steps, with the loop at rest after each. */
  async wait(ms: number): Promise<void> {
    const stepMs = 50;
    await this.controller.settled();
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.time.advance(Math.min(stepMs, ms - passed));
      await this.controller.settled();
    }
  }

  async exit(key: ResourceKey, code: number): Promise<void> {
    this.host.bootMs = this.time.now().bootMs;
    this.host.exit(key, code);
    this.controller.enqueue([key]);
    await this.controller.settled();
  }

  async #carryOut(op: Op, signal: AbortSignal): Promise<void> {
    const { desired } = this;
    await settled();
    await this.beforeOp(op, signal);
    this.host.bootMs = this.time.now().bootMs;
    this.done.push(op.id);
    this.host.apply(op, desired);
  }
}
