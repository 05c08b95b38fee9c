/** Clients of the Docker API: the supervisor's own code carries out what they ask for, on the simulated host. */
import type { Clock } from '../../src/model/clock.ts';
import { formatTime } from '../../src/model/clock.ts';
import type { DesiredState } from '../../src/model/desired.ts';
import { TsdError } from '../../src/model/errors/errors.ts';
import { containerSchema } from '../../src/model/kinds/container.ts';
import { IMPERATIVE_APP, type ResourceKey, resourceKey } from '../../src/model/resource.ts';
import { observedReferences, startDependencies } from '../../src/reconcile/plan/references.ts';
import type { ContainerRecord } from '../../src/state/containers/container-record.ts';
import { SupervisorEventBus } from '../../src/supervisor/events.ts';
import { ImperativeContainers } from '../../src/supervisor/imperative/containers.ts';
import { ImperativeResources } from '../../src/supervisor/imperative/imperative-resources.ts';
import { Renames } from '../../src/supervisor/imperative/rename.ts';
import { restoredDeclarations } from '../../src/supervisor/imperative/restored.ts';
import type { Disk } from './disk.ts';
import type { Asked, Ledger } from './ledger.ts';
import type { SimSupervisor } from './supervisor.ts';
import { INJECTED, Killed } from './universe.ts';

export const imperativeKey = (name: string): ResourceKey => resourceKey('container', IMPERATIVE_APP, name);

/** What clients have made, as a supervisor that starts now would read it. */
export function declaredOnDisk(disk: Disk): ImperativeResources {
  const containers = { all: () => [...disk.containers.values()] };
  const none = { all: () => [] };
  return new ImperativeResources(restoredDeclarations({ containers, volumes: none, history: disk.history }), () => {});
}

export class SimClients {
  readonly events = new SupervisorEventBus();
  readonly resources: ImperativeResources;
  readonly #containers: ImperativeContainers;
  readonly #supervisor: SimSupervisor;
  readonly #ledger: Ledger;
  readonly #clock: Clock;

  constructor(supervisor: SimSupervisor, disk: Disk, ledger: Ledger, clock: Clock) {
    this.#supervisor = supervisor;
    this.#ledger = ledger;
    this.#clock = clock;
    const { parts } = supervisor;
    this.resources = new ImperativeResources(declaredOnDisk(disk).all(), (keys) => {
      if (supervisor.ready) supervisor.controller.enqueue(keys);
    });
    const shared = {
      imperative: this.resources,
      desired: (): DesiredState => supervisor.desired(),
      containers: parts.containers,
      failures: parts.failures,
      events: this.events,
      clock,
      loop: {
        hold: (key: ResourceKey) => supervisor.controller.hold(key),
        inFlight: (key: ResourceKey) => supervisor.controller.inFlight(key),
        ended: () => null,
      },
    };
    const renames = new Renames({ ...shared, links: parts.links, leases: parts.leases });
    parts.containers.watch({ recordChanged: (id) => renames.recordChanged(id), textWritten: () => {} });
    this.#containers = new ImperativeContainers({
      ...shared,
      renames,
      volumes: { removeUnused: async () => [] },
      timeline: { override: () => {} },
      isRunning: (id) => parts.exec.running(id) !== null,
      onProblem: () => {},
    });
    parts.exits.onExit((_exit, key) => {
      if (key) this.#containers.ended(key);
    });
  }

  /** After a pass over everything. */
  sweep(): void {
    this.#containers.sweep();
  }

  ask(asked: Asked): void {
    const work = this.#perform(asked);
    void work.catch((thrown: unknown) => this.#failed(asked, thrown));
  }

  #failed(asked: Asked, thrown: unknown): void {
    if (thrown instanceof Killed || !this.#supervisor.life.alive) return;
    if (!(thrown instanceof TsdError)) throw thrown;
    const isDefect = thrown.code === 'TSD_BUG' && !thrown.step?.startsWith(INJECTED);
    this.#ledger.refused(asked, thrown.message, isDefect);
  }

  async #perform(asked: Asked): Promise<void> {
    if (asked.do === 'client-create') return await this.#create(asked);
    const record = this.#supervisor.parts.containers.byKey(imperativeKey(asked.name));
    if (record === undefined) return;
    if (asked.do === 'client-remove') await this.#remove(record, asked.force);
    else await this.#rename(record, asked.name, asked.to);
  }

  async #create({ name, written, autoRemove }: Extract<Asked, { do: 'client-create' }>): Promise<void> {
    // Volumes of clients are not simulated.
    const image = this.#supervisor.parts.images
      .all()
      .find(({ config }) => Object.keys(config?.Volumes ?? {}).length === 0);
    if (image === undefined) return;
    const spec = containerSchema.parse({ image: image.id, ...written });
    const key = imperativeKey(name);
    const known = this.#supervisor.desired().resources;
    const needs = startDependencies(observedReferences({ key, engineName: name, spec }));
    // Refused before, as what no one knows.
    if (needs.some((need) => !known.has(need))) return;
    const at = formatTime(this.#clock.now().wallMs);
    const request = { body: {}, client: 'a client', uid: null, autoRemove, at };
    const { id } = await this.#containers.create({ name, spec, imageVolumes: [], newVolumes: [], request });
    this.#ledger.made(id, key, autoRemove);
  }

  async #remove(record: ContainerRecord, force: boolean): Promise<void> {
    this.#ledger.mayGo(record.id);
    await this.#containers.remove(record, { force, volumes: false, by: 'a client' });
    this.#ledger.gone(record.id);
  }

  async #rename(record: ContainerRecord, from: string, to: string): Promise<void> {
    this.#ledger.mayBe(record.id, [imperativeKey(from), imperativeKey(to)]);
    await this.#containers.rename(record, to, 'a client');
    this.#ledger.is(record.id, imperativeKey(to));
  }
}
