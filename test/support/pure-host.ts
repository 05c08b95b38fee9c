/** A host that exists only as data: it carries out ops and lets things happen, so that plans can be tried on it. */
import type { Desired, DesiredState } from '../../src/model/desired.ts';
import { effectiveProbes, type HealthRecord, type ProbeName, type ProbeSet } from '../../src/model/health.ts';
import type { ContainerSpec } from '../../src/model/kinds/container.ts';
import { linkedAddress } from '../../src/model/linked-address.ts';
import {
  type ObservedAddresses,
  type ObservedContainer,
  type ObservedImage,
  type ObservedNetwork,
  type ObservedState,
  type ObservedVolume,
  type OpFailure,
  type Orphan,
  runName,
} from '../../src/model/observed.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import {
  baseKey,
  isNext,
  nextKey,
  type ObservedUpdate,
  oldKey,
  sameVersion,
  successorOf,
  type UpdateTerms,
} from '../../src/model/update.ts';
import { healthOf, recordOfRun, withResult } from '../../src/reconcile/health/verdict.ts';
import type { Op, OpOf } from '../../src/reconcile/op.ts';
import { isContainer, startDependencies } from '../../src/reconcile/plan/references.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class PureHost {
  readonly images = new Map<ResourceKey, ObservedImage>();
  readonly volumes = new Map<ResourceKey, ObservedVolume>();
  readonly networks = new Map<ResourceKey, ObservedNetwork>();
  readonly containers = new Map<ResourceKey, ObservedContainer>();
  readonly failures = new Map<ResourceKey, OpFailure>();
  readonly obstacles = new Map<ResourceKey, string>();
  readonly missingDirectories = new Map<ResourceKey, readonly string[]>();
  readonly approvals = new Set<ResourceKey>();
  readonly updates = new Map<ResourceKey, ObservedUpdate>();
  /** Updates that failed, for which the manifests would be taken back: `container/blog/web exited with 1`. */
  readonly rolledBack: string[] = [];
  orphans: Orphan[] = [];
  /** Signals sent because of changed files: `container/blog/web SIGHUP`. */
  readonly signals: string[] = [];
  bootMs = 1_000_000;
  /** HEALTHCHECK of the image of a container, by its key. */
  readonly healthchecks = new Map<ResourceKey, ProbeSet>();
  readonly #health = new Map<ResourceKey, HealthRecord>();
  /** Addresses are kept for a key, also while its container is recreated. */
  readonly #leases = new Map<ResourceKey, string>();

  observe(): ObservedState {
    return {
      images: new Map(this.images),
      volumes: new Map(this.volumes),
      networks: new Map(this.networks),
      containers: new Map(this.containers),
      orphans: [...this.orphans],
      failures: new Map(this.failures),
      approvals: new Set(this.approvals),
      obstacles: new Map(this.obstacles),
      missingDirectories: new Map(this.missingDirectories),
      healthchecks: new Map(this.healthchecks),
      updates: new Map(this.updates),
    };
  }

  now() {
    return { wallMs: 1_800_000_000_000 + this.bootMs, bootMs: this.bootMs };
  }

  container(key: ResourceKey): ObservedContainer {
    const container = this.containers.get(key);
    if (!container) throw new Error(`no ${key}`);
    return container;
  }

  change(key: ResourceKey, change: Partial<Mutable<ObservedContainer>>): void {
    this.containers.set(key, { ...this.container(key), ...change });
  }

  /** Ends the run now, after it lasted `ranForMs`. */
  exit(key: ResourceKey, code: number | null, ranForMs = 0): void {
    const exit = {
      code,
      oomKilled: false,
      finishedAtWallMs: this.now().wallMs,
      finishedAtBootMs: this.bootMs,
      ranForMs,
    };
    this.change(key, { running: false, pid: null, startedAtBootMs: null, startedAtWallMs: null, exit });
  }

  /** A probe of the present run was tried. */
  probe(key: ResourceKey, probe: ProbeName, ok: boolean, output = ok ? 'fine' : 'refused'): void {
    const { run, startedAtBootMs } = this.container(key);
    const probes = this.#probes(key);
    if (!probes) throw new Error(`${key} has no probes`);
    const result = { probe, atWallMs: this.now().wallMs, ok, ms: 1, output };
    const before = recordOfRun(this.#health.get(key), probes, run);
    const after = withResult(before, probes, result, this.bootMs - (startedAtBootMs ?? 0), this.bootMs);
    this.#health.set(key, after);
    this.change(key, { health: healthOf(after, probes, run) });
  }

  #probes(key: ResourceKey): ProbeSet | null {
    const { health } = this.container(key).spec as ContainerSpec;
    return effectiveProbes(health, this.healthchecks.get(key) ?? null);
  }

  #load(key: ResourceKey, specHash: string, uses: readonly ResourceKey[]): void {
    const bases = Object.fromEntries(uses.map((base) => [base, this.images.get(base)?.imageId ?? '']));
    const imageId = `id-of-${[specHash, ...Object.values(bases)].join()}`;
    this.images.set(key, { key, specHash, imageId, current: true, bases });
  }

  /** Carries out ops in order; the desired state says with which specs. */
  applyAll(ops: readonly Op[], desired: DesiredState): void {
    for (const op of ops) this.apply(op, desired);
  }

  apply(op: Op, desired: DesiredState): void {
    const base = desired.resources.get(baseKey(op.key));
    const declared = isNext(op.key) && base ? successorOf(base as Desired<'container'>) : desired.resources.get(op.key);
    if (op.update) this.#begin(op.update);
    switch (op.op) {
      case 'image.load':
        this.#load(op.key, op.specHash, declared?.references.bases ?? []);
        return;
      case 'image.release':
        this.images.delete(op.key);
        return;
      case 'volume.create':
      case 'volume.adopt':
        this.#volume(op, declared as Desired<'volume'>);
        return;
      case 'volume.release': {
        const volume = this.volumes.get(op.key);
        if (volume) this.volumes.set(op.key, { ...volume, released: true });
        return;
      }
      case 'volume.remove':
        this.volumes.delete(op.key);
        return;
      case 'network.ensure':
        this.#network(op.key, declared as Desired<'network'> | undefined);
        return;
      case 'network.remove':
        this.networks.delete(op.key);
        return;
      case 'orphan.remove':
        this.orphans = this.orphans.filter((orphan) => orphan.id !== op.orphan.id || orphan.type !== op.orphan.type);
        return;
      case 'container.make-directories':
        this.missingDirectories.delete(baseKey(op.key));
        return;
      case 'container.settle-update':
        this.updates.delete(op.key);
        return;
      case 'container.fail-update': {
        const update = this.updates.get(op.key);
        if (update) this.updates.set(op.key, { ...update, failure: op.reason, final: !op.rollback });
        if (op.rollback) this.rolledBack.push(`${op.key} ${op.reason}`);
        return;
      }
      case 'container.cutover':
        this.#cutOver(op, declared as Desired<'container'>);
        return;
      default:
        this.#container(op, declared as Desired<'container'> | undefined);
    }
  }

  #begin(terms: UpdateTerms): void {
    const before = this.updates.get(terms.key);
    if (before?.failure === null && before.order === terms.order && sameVersion(before.to, terms.to)) return;
    this.updates.set(terms.key, {
      ...terms,
      startedAtBootMs: this.bootMs,
      timeFromBootMs: this.bootMs,
      cutOverAtBootMs: null,
      failure: null,
      final: false,
    });
  }

  #cutOver(
    { key, containerId, successorId, failure }: OpOf<'container.cutover'>,
    declared: Desired<'container'>,
  ): void {
    const all = [...this.containers.values()];
    const successor = all.find(({ id }) => id === successorId);
    const retiring = all.find(({ id }) => id === containerId);
    if (!successor?.key) throw new Error(`${key} has no successor`);
    this.containers.delete(successor.key);
    if (retiring?.key) {
      const away = failure === null ? oldKey(key) : nextKey(key);
      this.containers.delete(retiring.key);
      this.containers.set(away, { ...retiring, key: away, published: false });
    }
    const intent = failure === null ? intentOf(declared) : {};
    this.containers.set(key, {
      ...successor,
      ...intent,
      key,
      published: successor.sandbox && declared.spec.ports.length > 0,
    });
    const update = this.updates.get(key);
    const cutOverAtBootMs = failure === null ? this.bootMs : null;
    if (update) this.updates.set(key, { ...update, cutOverAtBootMs, failure });
  }

  #volume(op: OpOf<'volume.create'> | OpOf<'volume.adopt'>, { specHash, spec }: Desired<'volume'>): void {
    const volumeId = op.op === 'volume.adopt' ? op.volumeId : `data-of-${op.key}`;
    for (const [key, volume] of this.volumes) if (volume.volumeId === volumeId) this.volumes.delete(key);
    this.volumes.set(op.key, { key: op.key, specHash, volumeId, released: false, onRemove: spec.onRemove });
  }

  #network(key: ResourceKey, declared: Desired<'network'> | undefined): void {
    const before = this.networks.get(key);
    const specHash = declared?.specHash ?? before?.specHash ?? '';
    const spec = declared?.spec ?? before?.spec;
    const subnet = declared?.spec.subnet ?? before?.decided.subnet ?? '10.99.0.0/24';
    this.networks.set(key, { key, specHash, spec, decided: { subnet, driver: 'bridge' }, missing: [] });
  }

  #container(op: Extract<Op, { containerId: string }>, declared: Desired<'container'> | undefined): void {
    if (op.op === 'container.create') {
      if (this.containers.has(op.key)) throw new Error(`${op.key} exists`);
      if (declared) this.containers.set(op.key, this.#created(op.containerId, declared));
      return;
    }
    if (this.container(op.key).id !== op.containerId) throw new Error(`${op.id} names another container`);
    switch (op.op) {
      case 'container.connect':
        this.change(op.key, {
          sandbox: true,
          published: (declared?.spec.ports.length ?? 0) > 0,
          drift: [],
          endpoints: this.#endpoints(op.key, declared),
        });
        return;
      case 'container.start':
        if (declared) this.#start(op, declared);
        return;
      case 'container.stop':
        if (op.restart) this.change(op.key, { restartRequested: true });
        this.exit(op.key, 143, 60_000);
        return;
      case 'container.update':
        if (declared)
          this.change(op.key, {
            ...intentOf(declared),
            ...(this.container(op.key).sandbox && { endpoints: this.#endpoints(op.key, declared) }),
            stopOverride: false,
            restarts: { restarts: 0, consecutive: 0 },
          });
        return;
      case 'container.signal':
        this.signals.push(...op.signals.map((signal) => `${op.key} ${signal}`));
        if (op.dependencies) {
          const runs = op.dependencies.map((key) => [key, runName(this.container(key))] as const);
          const { dependencyRuns } = this.container(op.key);
          this.change(op.key, { dependencyRuns: { ...dependencyRuns, ...Object.fromEntries(runs) } });
        }
        return;
      case 'container.relink':
        if (declared) this.change(op.key, { linkAddresses: this.#linkAddresses(declared) });
        return;
      case 'container.withdraw':
        if (op.ports === undefined) this.change(op.key, { published: false });
        return;
      case 'container.disconnect':
        this.change(op.key, { sandbox: false, published: false });
        return;
      case 'container.remove':
        this.containers.delete(op.key);
    }
  }

  #lease(key: ResourceKey): string {
    const address = this.#leases.get(key) ?? `10.0.0.${this.#leases.size + 2}`;
    this.#leases.set(key, address);
    return address;
  }

  #created(id: string, declared: Desired<'container'>): ObservedContainer {
    const image = declared.references.image === null ? undefined : this.images.get(declared.references.image);
    return {
      key: declared.key,
      id,
      engineName: declared.engineName,
      ...intentOf(declared),
      imageId: image?.imageId ?? null,
      available: true,
      run: 0,
      running: false,
      paused: false,
      pid: null,
      startedAtWallMs: null,
      startedAtBootMs: null,
      exit: null,
      startError: null,
      sandbox: false,
      drift: [],
      restarts: { restarts: 0, consecutive: 0 },
      stopOverride: false,
      restartRequested: false,
      linkAddresses: {},
    };
  }

  /** The same address on each of its networks. */
  #endpoints(key: ResourceKey, declared: Desired<'container'> | undefined): ObservedAddresses[] {
    const ipv4 = this.#lease(key);
    return (declared?.references.networks ?? []).map((network) => ({ network, ipv4, ipv6: null }));
  }

  #start(op: OpOf<'container.start'>, declared: Desired<'container'>): void {
    if (this.container(op.key).running) throw new Error(`${op.key} runs already`);
    if (op.asMade === undefined) this.change(op.key, intentOf(declared));
    else if (op.asMade !== this.container(op.key).specHash) throw new Error(`${op.key} was not made from ${op.asMade}`);
    const probes = this.#probes(op.key);
    this.change(op.key, {
      health: probes && healthOf(undefined, probes, op.run),
      run: op.run,
      running: true,
      pid: 1000 + op.run,
      startedAtBootMs: this.bootMs,
      startedAtWallMs: this.now().wallMs,
      exit: null,
      startError: null,
      drift: [],
      restarts: { restarts: op.restarts, consecutive: op.consecutive },
      stopOverride: false,
      restartRequested: false,
      linkAddresses: this.#linkAddresses(declared),
      dependencyRuns: this.#dependencyRuns(declared),
    });
  }

  #dependencyRuns({ references }: Desired<'container'>): Record<string, string> {
    const up = startDependencies(references).flatMap((key) => this.containers.get(key) ?? []);
    return Object.fromEntries(up.map((container) => [container.key ?? '', runName(container)]));
  }

  #linkAddresses({ references, spec }: Desired<'container'>): Record<string, string> {
    const entries = references.links.flatMap((target, index) => {
      const address = linkedAddress(this.containers.get(target)?.endpoints ?? [], references.networks);
      const alias = spec.links[index]?.alias;
      return address === null || alias === undefined ? [] : [[alias, address]];
    });
    return Object.fromEntries(entries);
  }
}

/** What a container remembers of its declaration. */
function intentOf(declared: Desired): Pick<ObservedContainer, 'specHash' | 'spec' | 'contentHashes'> {
  if (!isContainer(declared)) throw new Error(`${declared.key} is no container`);
  return { specHash: declared.specHash, spec: declared.spec, contentHashes: declared.contentHashes };
}
