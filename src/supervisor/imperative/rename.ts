/** Another name for a container that a client made: its record, its name in the link graph and its leases move together. */

import { specHash } from '../../manifest/spec-hash.ts';
import type { Desired } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { joinedContainers, sharedNamespace } from '../../model/kinds/namespace-forms.ts';
import { networkMode, sharedNetwork } from '../../model/network-mode.ts';
import { IMPERATIVE_APP, type ResourceKey, resourceKey } from '../../model/resource.ts';
import type { LeaseBook } from '../../reconcile/ops/networks/lease-book.ts';
import { observedReferences, startDependencies } from '../../reconcile/plan/references.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { writtenSpec } from '../../state/containers/written-spec.ts';
import type { LinkGraph } from '../../state/link-graph.ts';
import { PATIENCE_MS } from '../requests/container-changes.ts';
import type { ChangePorts } from './desired-changes.ts';
import type { ImperativeResources } from './imperative-resources.ts';

export interface RenamePorts extends ChangePorts {
  readonly imperative: ImperativeResources;
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'change'>;
  readonly links: Pick<LinkGraph, 'get' | 'set' | 'list' | 'delete'>;
  readonly leases: Pick<LeaseBook, 'rename' | 'save'>;
}

const RECHECK_MS = 100;

/** The name of a container in a specification, where it is that of another one now. */
const renamedIn =
  (from: string, to: string) =>
  (name: string): string =>
    name === from || name === `${IMPERATIVE_APP}/${from}` ? `${IMPERATIVE_APP}/${to}` : name;

function renamedNamespaces(spec: ContainerSpec, rename: (name: string) => string): Pick<ContainerSpec, 'pid' | 'ipc'> {
  const joined = joinedContainers(spec).map(({ field, name }) => [field, sharedNamespace(rename(name))]);
  return { pid: spec.pid, ipc: spec.ipc, ...Object.fromEntries(joined) };
}

function specWith(spec: ContainerSpec, rename: (name: string) => string): ContainerSpec {
  const mode = networkMode(spec.network);
  return {
    ...spec,
    network: mode.type === 'container' ? sharedNetwork(rename(mode.name)) : spec.network,
    ...renamedNamespaces(spec, rename),
    links: spec.links.map((link) => ({ ...link, target: rename(link.target) })),
    volumesFrom: spec.volumesFrom.map((from) => ({ ...from, container: rename(from.container) })),
    dependsOn: spec.dependsOn.map((need) => ({ ...need, container: rename(need.container) })),
  };
}

const names = ({ references }: Desired, key: ResourceKey): boolean =>
  [...startDependencies(references), ...references.volumesFrom].includes(key);

export class Renames {
  readonly #ports: RenamePorts;
  /** What the records say once they are written, by the id of the container that gets another name. */
  readonly #moves = new Map<string, { readonly declared: readonly Desired[]; readonly from: ResourceKey }>();

  constructor(ports: RenamePorts) {
    this.#ports = ports;
  }

  /** A record has changed: what is declared changes in the same step, so that no pass sees one without the other. */
  recordChanged(id: string): void {
    const move = this.#moves.get(id);
    const key = this.#ports.containers.get(id)?.owner?.key;
    if (move === undefined || key === undefined || key === move.from) return;
    this.#moves.delete(id);
    this.#ports.imperative.change(move.declared, [move.from]);
  }

  /** @throws TsdError */
  async rename(desired: Desired<'container'>, record: ContainerRecord, name: string): Promise<void> {
    const { imperative, containers, leases, failures } = this.#ports;
    const from = desired.key;
    await this.#quiet(from);
    const key = resourceKey('container', IMPERATIVE_APP, name);
    const users = imperative.all().filter((other) => other.key !== from && names(other, from));
    const moved = users.map((user) => this.#withName(user as Desired<'container'>, desired.name, name));
    const renamed: Desired<'container'> = { ...desired, key, name, engineName: name };
    this.#moves.set(record.id, { declared: [...moved, renamed], from });
    leases.rename(from, key);
    try {
      await leases.save({
        files: (batch) => {
          for (const user of moved) this.#rewrite(user, batch);
          containers.change(
            record.id,
            (current) => ({ ...current, engineName: name, owner: current.owner && { ...current.owner, key } }),
            batch,
          );
        },
        names: () => this.#renameInGraph(name, record.id),
      });
    } catch (error) {
      leases.rename(key, from);
      await this.#nameAgain(desired, record.id);
      throw error;
    } finally {
      this.#moves.delete(record.id);
    }
    failures.clear(from);
  }

  /** Names were committed where the record could not be. What fails here too is repaired when the next supervisor starts. */
  async #nameAgain({ key, engineName }: Desired<'container'>, id: string): Promise<void> {
    const { containers, leases } = this.#ports;
    if (containers.get(id)?.owner?.key !== key) return;
    await leases.save({ names: () => this.#renameInGraph(engineName, id) }).catch(() => undefined);
  }

  #withName(user: Desired<'container'>, from: string, to: string): Desired<'container'> {
    const spec = specWith(user.spec, renamedIn(from, to));
    const { key, engineName } = user;
    return {
      ...user,
      spec,
      written: spec,
      specHash: specHash('container', spec, user.contentHashes),
      references: observedReferences({ key, engineName, spec }),
    };
  }

  #rewrite({ key, spec, specHash: hash }: Desired<'container'>, batch: Parameters<ContainerStore['change']>[2]): void {
    const { containers } = this.#ports;
    const user = containers.byKey(key);
    if (user === undefined) return;
    containers.change(
      user.id,
      (current) => ({
        ...current,
        owner: current.owner && { ...current.owner, written: writtenSpec(spec), specHash: hash },
      }),
      batch,
    );
  }

  /** Names are committed before records: it may have another one than its record says, left of a rename that failed. */
  #renameInGraph(to: string, id: string): void {
    const { links } = this.#ports;
    const wanted = `/${to}`;
    for (const { path, id: holder } of links.list('/', 1)) if (holder === id && path !== wanted) links.delete(path);
    if (links.get(wanted) !== id) links.set(wanted, id);
  }

  /** Ops under way know it by its key. */
  async #quiet(key: ResourceKey): Promise<void> {
    const { loop, events, clock } = this.#ports;
    const deadline = clock.now().bootMs + PATIENCE_MS;
    while (loop.inFlight(key) !== undefined) {
      if (clock.now().bootMs > deadline)
        throw new TsdError('TSD_TIMEOUT', `${key} is being changed and was not renamed`, { key });
      await events.nextChange(RECHECK_MS);
    }
  }
}
