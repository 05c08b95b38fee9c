/** The part of a supervisor that sees to the resolver, on records of a test: one after the other, as supervisors come and go. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RelaySockets } from '../../../src/drivers/network/relay-sockets.ts';
import { Sandboxes } from '../../../src/drivers/network/sandboxes.ts';
import { systemTimers } from '../../../src/engine/timers.ts';
import { systemClock } from '../../../src/ffi/boot-clock.ts';
import { startTimeOf } from '../../../src/ffi/process/processes.ts';
import type { Timers } from '../../../src/model/clock.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { ZoneBook } from '../../../src/reconcile/names/zone-book.ts';
import type { NamedNetwork } from '../../../src/reconcile/names/zones.ts';
import { ResolverGroup } from '../../../src/supervisor/resolver/resolver-group.ts';
import { ResolverPlaces } from '../../../src/supervisor/resolver/resolver-program.ts';
import { type ResolverParts, ResolverService } from '../../../src/supervisor/resolver/resolver-service.ts';
import { container, Records } from '../container-records.ts';
import { until } from '../wait.ts';
import { TestSandbox } from './fixture.ts';

/** How often a supervisor looks at what tells nothing by itself. */
export const LOOK_MS = 2_000;
/** Looks come often, so that what is done at them is seen soon. */
const OFTEN: Timers = { after: (ms, task) => systemTimers.after(ms === LOOK_MS ? 20 : ms, task) };

export class ServiceHost {
  readonly records = new Records();
  readonly sandboxes = new Sandboxes();
  readonly networks = new Map<string, NamedNetwork>([
    ['br0', { key: 'network/shop/back' as ResourceKey, internal: false }],
  ]);
  readonly group = new ResolverGroup(`test-${randomBytes(4).toString('hex')}`);
  readonly places: ResolverPlaces;
  readonly problems: string[] = [];
  readonly #base: string;
  #service: ResolverService | null = null;
  #last = 1;

  constructor(base: string) {
    this.#base = base;
    this.places = new ResolverPlaces(base);
  }

  /** A copy of the built program that does something before anything else: another build. */
  program(name: string, first = ''): string {
    const directory = join(this.#base, name);
    mkdirSync(join(directory, 'dist'), { recursive: true });
    cpSync('dist/package.json', join(directory, 'dist/package.json'));
    symlinkSync(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'));
    const path = join(directory, 'dist/resolver.js');
    writeFileSync(path, `${first}\n${readFileSync('dist/resolver.js', 'utf8')}\n// ${name}\n`);
    return path;
  }

  /** A container that runs, with its names. */
  add(name: string, spec: object = {}): TestSandbox {
    const record = container('shop', name, ++this.#last, { spec });
    const { netnsFd } = this.sandboxes.create(record.id);
    this.records.put(record);
    return new TestSandbox(record.id, netnsFd);
  }

  get parts(): ResolverParts {
    const { sandboxes, records } = this;
    return {
      program: { path: 'dist/resolver.js', group: this.group, places: this.places },
      book: new ZoneBook({
        containers: records,
        networkOf: (bridge) => this.networks.get(bridge) ?? null,
        unread: () => [],
        servers: [],
      }),
      network: {
        sandbox: (id) => sandboxes.get(id),
        openNameSockets: (id) => sandboxes.openNameSockets(id),
        openSockets: (id, wanted) => sandboxes.openSockets(id, wanted),
        relays: new RelaySockets(),
      },
      containers: { get: records.get, damaged: () => undefined },
      clock: systemClock,
      timers: OFTEN,
      onProblem: (text) => this.problems.push(text),
      onEvent: () => undefined,
    };
  }

  /** A supervisor in the place of the one before. */
  async start(path: string, changes: Partial<ResolverParts> = {}): Promise<ResolverService> {
    await this.leave();
    const parts = { ...this.parts, ...changes };
    const service = new ResolverService({ ...parts, program: { ...parts.program, path } });
    this.#service = service;
    service.begin();
    return service;
  }

  /** The supervisor ends; what runs stays. */
  async leave(): Promise<void> {
    await this.#service?.close(() => true);
    this.#service = null;
  }

  async running(service: ResolverService): Promise<number> {
    return until('the resolver runs', () => (service.view().state === 'running' ? service.view().pid : null));
  }

  /** Resolvers that are there. */
  get pids(): readonly number[] {
    return this.group.pids().filter((pid) => startTimeOf(pid) !== null);
  }

  async remove(): Promise<void> {
    await this.#service?.close(() => false);
    await this.group.clear();
    this.sandboxes.releaseAll();
    this.sandboxes.close();
  }
}
