/** Containers that clients of the Docker API make, remove and rename. */
import { specHash } from '../../manifest/spec-hash.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { clientName, type ImperativeRequest } from '../../model/imperative/request.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { formatPosition, IMPERATIVE_APP, resourceKey } from '../../model/resource.ts';
import { observedReferences } from '../../reconcile/plan/references.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { Timeline } from '../timeline.ts';
import { type ChangePorts, carryOut } from './desired-changes.ts';
import type { ImperativeResources } from './imperative-resources.ts';
import { randomName } from './random-names.ts';
import type { ImperativeVolumes } from './removed-volumes.ts';
import type { Renames } from './rename.ts';
import { isRestarting } from './restarting.ts';
import { imperative } from './restored.ts';
import { type NewVolume, volumeOnDemand, withAnonymousVolumes } from './volumes.ts';

export interface ImperativeContainerPorts extends ChangePorts {
  readonly imperative: ImperativeResources;
  desired(): DesiredState;
  readonly containers: Pick<ContainerStore, 'all' | 'get' | 'byKey' | 'updateSoon'>;
  readonly volumes: Pick<ImperativeVolumes, 'removeUnused'>;
  readonly renames: Pick<Renames, 'rename'>;
  readonly timeline: Pick<Timeline, 'override'>;
  readonly isRunning: (id: string) => boolean;
  /** Called for a removal that no request waits for. */
  readonly onProblem: (text: string) => void;
}

export interface NewContainer {
  /** Empty for one that is chosen here. */
  readonly name: string;
  /** Its image is an id. */
  readonly spec: ContainerSpec;
  /** Targets of volumes that the image asks for. */
  readonly imageVolumes: readonly string[];
  /** Named volumes that are not there yet. */
  readonly newVolumes: readonly NewVolume[];
  readonly request: ImperativeRequest;
}

export interface RemoveContainer {
  /** Ends it first. */
  readonly force: boolean;
  /** Its volumes without a name go too. */
  readonly volumes: boolean;
  readonly by: string;
}

function refusal(message: string, record: ContainerRecord): TsdError {
  return new TsdError('TSD_BAD_REQUEST', message, { class: 'conflict', key: record.owner?.key, hint: '' });
}

const KEPT = 'It would be made again: take it out of the manifest to remove it, or stop it, which holds.';
const NAMED = 'Its name is in the manifest, where others refer to it: change it there.';

/** @throws TsdError class conflict, naming the manifest and the line, for what a manifest declares @param hint what to do instead */
export function requireImperative(
  { desired }: Pick<ImperativeContainerPorts, 'desired'>,
  record: ContainerRecord,
  hint = 'Change it there: what a manifest declares is not changed through the Docker API.',
): void {
  if (record.owner?.request) return;
  const place = record.owner && desired().resources.get(record.owner.key)?.source;
  const of = place ? `is declared at ${formatPosition(place)}` : 'belongs to a manifest';
  const key = record.owner?.key;
  throw new TsdError('TSD_OWNED_BY_MANIFEST', `container ${record.engineName} ${of}`, {
    class: 'conflict',
    ...(key !== undefined && { key }),
    ...(place && { source: place }),
    hint,
  });
}

export class ImperativeContainers {
  readonly #ports: ImperativeContainerPorts;
  /** Ids of those that are being removed. */
  readonly #removing = new Set<string>();
  /** Names that containers get, with their ids. */
  readonly #claimed = new Map<string, string>();

  constructor(ports: ImperativeContainerPorts) {
    this.#ports = ports;
  }

  isRemoving(id: string): boolean {
    return this.#removing.has(id);
  }

  /** Returns the container when it is made; it is not started. @throws TsdError; then nothing is left of it */
  async create({ name: asked, spec: wanted, request, ...asks }: NewContainer): Promise<ContainerRecord> {
    const { imperative: resources, containers, timeline, volumes } = this.#ports;
    const name = asked === '' ? this.#freeName() : asked;
    this.#requireFree(name);
    const key = resourceKey('container', IMPERATIVE_APP, name);
    const taken = this.#targetsTaken(key, name, wanted);
    const free = asks.imageVolumes.filter((target) => !taken.has(target));
    const { spec, made } = withAnonymousVolumes(wanted, free, request);
    const references = observedReferences({ key, engineName: name, spec });
    const onDemand = asks.newVolumes
      .map((volume) => volumeOnDemand(volume, request))
      .filter((volume) => resources.get(volume.key) === undefined);
    const hash = specHash('container', spec);
    const desired = imperative('container', { key, spec, specHash: hash, request, references });
    timeline.override(key, 'create', `asked for by ${clientName(request.client)}`);
    try {
      await carryOut(this.#ports, {
        keys: [key, ...[...made, ...onDemand].map((volume) => volume.key)],
        make: () => resources.change([...made, ...onDemand, desired]),
        isDone: () => containers.byKey(key) !== undefined,
        takeBack: () => resources.change([], [key]),
      });
    } catch (error) {
      await volumes.removeUnused(made.map((volume) => volume.key)).catch(() => undefined);
      throw error;
    }
    const record = containers.byKey(key);
    if (record) return record;
    throw new TsdError('TSD_BUG', `${key} was made and is gone`, { key });
  }

  /** Returns when nothing of it is left. @throws TsdError; then it is as it was, or stopped */
  async remove(record: ContainerRecord, { force, volumes, by }: RemoveContainer): Promise<void> {
    const { isRunning, timeline } = this.#ports;
    requireImperative(this.#ports, record, KEPT);
    if (this.#removing.has(record.id))
      throw refusal(`removal of container ${record.engineName} is already in progress`, record);
    if (!force && (isRunning(record.id) || isRestarting(record)))
      throw refusal(
        `cannot remove container "/${record.engineName}": container is running: stop the container before removing or force remove`,
        record,
      );
    const key = record.owner?.key;
    if (key !== undefined) timeline.override(key, 'remove', `asked for by ${clientName(by)}`, record);
    this.#removing.add(record.id);
    try {
      await this.#remove(record, volumes);
    } finally {
      this.#removing.delete(record.id);
    }
  }

  /** @throws TsdError class conflict for a taken name */
  async rename(record: ContainerRecord, name: string, by: string): Promise<void> {
    const { imperative: resources, renames, timeline } = this.#ports;
    requireImperative(this.#ports, record, NAMED);
    const key = record.owner?.key;
    const desired = key === undefined ? undefined : resources.get(key);
    if (desired === undefined || this.#removing.has(record.id))
      throw refusal(`removal of container ${record.engineName} is already in progress`, record);
    this.#requireFree(name, 'Error when allocating new name: ');
    const message = `${desired.engineName} becomes ${name}, asked for by ${clientName(by)}`;
    timeline.override(desired.key, 'rename', message, record);
    this.#claimed.set(name, record.id);
    try {
      await renames.rename(desired as Desired<'container'>, record, name);
      // Entries of the timeline are found by the name that there was at their time.
      const past = `was ${desired.engineName}: \`tsdocker why ${desired.engineName}\` has what came before`;
      timeline.override(resourceKey('container', IMPERATIVE_APP, name), 'renamed', past, record);
    } finally {
      this.#claimed.delete(name);
    }
  }

  async #remove(record: ContainerRecord, volumes: boolean): Promise<void> {
    const { imperative: resources, containers, loop } = this.#ports;
    const key = record.owner?.key;
    const desired = key === undefined ? undefined : resources.get(key);
    // Another removal was faster.
    if (key === undefined || desired === undefined) return;
    const current = containers.get(record.id);
    // It is ended at once: who removes what runs does not wait for it.
    if (current) containers.updateSoon({ ...current, stopTimeoutMs: 0 });
    await carryOut(this.#ports, {
      keys: [key],
      make: () => resources.change([], [key]),
      isDone: () => containers.get(record.id) === undefined && loop.inFlight(key) === undefined,
      takeBack: () => {
        if (containers.get(record.id) !== undefined && resources.get(key) === undefined) resources.change([desired]);
      },
    });
    if (volumes) await this.#ports.volumes.removeUnused(Object.values(desired.references.volumes), 'anonymous');
  }

  /**
   * Removes those that were to go with the end of their run and have ended. Derived each time from the records, so that no
   * crash keeps one.
   */
  sweep(): void {
    for (const { key, request } of this.#ports.imperative.all()) if (request?.autoRemove) this.ended(key);
  }

  /** One that was to go with the end of its run goes with a start that fails, too: its client waits for that. */
  async startFailed(id: string): Promise<void> {
    const record = this.#ports.containers.get(id);
    if (!record?.owner?.request?.autoRemove || this.#removing.has(id) || this.#ports.isRunning(id)) return;
    this.#removing.add(id);
    await this.#remove(record, true)
      .catch((error: Error) => this.#ports.onProblem(`${record.engineName} is to go and stays: ${error.message}`))
      .finally(() => this.#removing.delete(id));
  }

  /** The run of a container has ended. */
  ended(key: Desired['key']): void {
    const record = this.#ports.containers.byKey(key);
    if (!record?.owner?.request?.autoRemove || this.#removing.has(record.id)) return;
    const { status } = record.state;
    const isOver = status === 'exited' && !record.restart.requested && !this.#ports.isRunning(record.id);
    if (!isOver || this.#ports.imperative.get(key) === undefined) return;
    this.#removing.add(record.id);
    this.#remove(record, true)
      .catch((error: Error) => this.#ports.onProblem(`${record.engineName} is to go and stays: ${error.message}`))
      .finally(() => this.#removing.delete(record.id));
  }

  /** Targets of what it takes over from other containers. */
  #targetsTaken(key: Desired['key'], engineName: string, spec: ContainerSpec): ReadonlySet<string> {
    const { volumesFrom } = observedReferences({ key, engineName, spec });
    return new Set(volumesFrom.flatMap((from) => Object.keys(this.#ports.containers.byKey(from)?.volumes ?? {})));
  }

  #freeName(): string {
    for (let attempt = 0; ; attempt++) {
      const name = randomName(attempt);
      if (this.#holderOf(name) === null) return name;
    }
  }

  /** Id of the container that has a name, empty while that is being made; null where it is free. */
  #holderOf(name: string): string | null {
    const { containers, desired } = this.#ports;
    const record = containers.all().find(({ engineName }) => engineName === name);
    if (record) return record.id;
    const claimed = this.#claimed.get(name);
    if (claimed !== undefined) return claimed;
    for (const declared of desired().resources.values())
      if (declared.kind === 'container' && declared.engineName === name) return '';
    return null;
  }

  #requireFree(name: string, before = ''): void {
    const holder = this.#holderOf(name);
    if (holder === null) return;
    throw new TsdError(
      'TSD_BAD_REQUEST',
      `${before}Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
      { class: 'conflict', hint: '' },
    );
  }
}
