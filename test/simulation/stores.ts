/** The stores of a supervisor on the simulated disk: what they keep in memory, and when it reaches the disk. */
import { TsdError } from '../../src/model/errors/errors.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import type { ContainerRecord } from '../../src/state/containers/container-record.ts';
import type { ContainerStore, RecordWatcher } from '../../src/state/containers/containers.ts';
import type { DurableBatch, StateFiles } from '../../src/state/files/durable.ts';
import type { GraphIndex } from '../../src/state/images/graph-index.ts';
import type { ImageRecord } from '../../src/state/images/image-record.ts';
import type { RepositoryStore } from '../../src/state/images/repositories.ts';
import { type VolumeRecord, volumeKey } from '../../src/state/volumes/volume-record.ts';
import type { VolumeStore } from '../../src/state/volumes/volumes.ts';
import type { Disk } from './disk.ts';
import type { Life } from './universe.ts';

/** Several renames; a crash leaves a prefix of them. */
class SimBatch implements Pick<DurableBatch, 'abandon'> {
  readonly #life: Life;
  readonly #changes: { readonly label: string; readonly publish: () => void }[] = [];

  constructor(life: Life) {
    this.#life = life;
  }

  stage(label: string, publish: () => void): void {
    this.#changes.push({ label, publish });
  }

  abandon(): void {
    this.#changes.length = 0;
  }

  /** Returns what it failed with. */
  publish(): unknown {
    try {
      for (const { label, publish } of this.#changes) {
        this.#life.step(label);
        publish();
      }
      return undefined;
    } catch (error) {
      return error;
    }
  }
}

const staged = (batch: DurableBatch): SimBatch => batch as unknown as SimBatch;

export function simFiles(life: Life): StateFiles {
  const files: Pick<StateFiles, 'batch' | 'commitTogether'> = {
    batch: () => new SimBatch(life) as unknown as DurableBatch,
    commitTogether: async (batches) => {
      await life.pause('disk.sync');
      const outcomes = batches.map((batch) => staged(batch).publish());
      await life.pause('disk.sync');
      return outcomes;
    },
  };
  return files as StateFiles;
}

type ContainerPart = Pick<
  ContainerStore,
  | 'ids'
  | 'exists'
  | 'hasDamaged'
  | 'damaged'
  | 'setAside'
  | 'all'
  | 'get'
  | 'byKey'
  | 'textPath'
  | 'logPath'
  | 'create'
  | 'update'
  | 'change'
  | 'updateSoon'
  | 'readText'
  | 'writeText'
  | 'remove'
>;

class SimContainers implements ContainerPart {
  readonly #life: Life;
  readonly #disk: Disk;
  readonly #records: Map<string, ContainerRecord>;
  readonly #dirty = new Set<string>();
  readonly #watchers: RecordWatcher[] = [];
  #flushing = false;

  constructor(life: Life, disk: Disk) {
    this.#life = life;
    this.#disk = disk;
    this.#records = new Map(disk.containers);
  }

  ids(): ReadonlySet<string> {
    return new Set(this.#records.keys());
  }

  exists(id: string): boolean {
    return this.#records.has(id);
  }

  /** Every record can be read. */
  readonly hasDamaged = false;

  damaged(): undefined {}

  setAside(id: string): string {
    throw new TsdError('TSD_BUG', `${id} is not damaged`);
  }

  all(): readonly ContainerRecord[] {
    return [...this.#records.values()];
  }

  get(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  byKey(key: ResourceKey): ContainerRecord | undefined {
    return this.all().findLast(({ owner }) => owner?.key === key);
  }

  textPath(id: string, file: string): string {
    return `/sim/containers/${id}/${file}`;
  }

  logPath(id: string): string {
    return this.textPath(id, 'log');
  }

  create(record: ContainerRecord, _texts: unknown, batch: DurableBatch): void {
    if (this.#records.has(record.id)) throw new TsdError('TSD_STATE_CORRUPT', `${record.id} exists already`);
    this.#life.step('disk.container.build');
    staged(batch).stage('disk.container.create', () => {
      this.#disk.containers.set(record.id, record);
      this.#records.set(record.id, record);
    });
  }

  update(record: ContainerRecord): void {
    this.#known(record.id);
    this.#life.step('disk.container.update');
    this.#write(record);
  }

  change(id: string, change: (current: ContainerRecord) => ContainerRecord, batch: DurableBatch): void {
    this.#known(id);
    this.#life.step('disk.container.update');
    staged(batch).stage('disk.container.commit', () => {
      const current = this.#records.get(id);
      if (current) this.#write(change(current));
    });
  }

  watch(watcher: RecordWatcher): void {
    this.#watchers.push(watcher);
  }

  updateSoon(record: ContainerRecord): void {
    this.#known(record.id);
    this.#records.set(record.id, record);
    this.#dirty.add(record.id);
    if (this.#flushing) return;
    this.#flushing = true;
    this.#life.after(0, () => void this.#flush().catch(() => {}));
  }

  /** The files of containers have no content here. */
  readText(_id: string, _file: string): string | null {
    this.#life.step('disk.container.read');
    return null;
  }

  writeText(_id: string, _file: string, _text: string): void {
    this.#life.step('disk.container.text');
  }

  renewTexts(id: string, texts: Readonly<Record<string, string>>): void {
    for (const [file, text] of Object.entries(texts)) this.writeText(id, file, text);
  }

  async remove(id: string): Promise<void> {
    this.#life.step('disk.container.remove');
    this.#disk.containers.delete(id);
    this.#records.delete(id);
    this.#dirty.delete(id);
    await this.#life.pause('disk.container.remove');
  }

  #write(record: ContainerRecord): void {
    this.#disk.containers.set(record.id, record);
    this.#dirty.delete(record.id);
    this.#records.set(record.id, record);
    for (const watcher of this.#watchers) watcher.recordChanged(record.id);
  }

  async #flush(): Promise<void> {
    while (this.#dirty.size > 0) {
      const ids = [...this.#dirty];
      this.#dirty.clear();
      const records = ids.flatMap((id) => this.#records.get(id) ?? []);
      await this.#life.pause('disk.container.flush');
      for (const record of records) {
        if (this.#records.get(record.id) !== record) continue;
        this.#flushOne(record);
      }
    }
    this.#flushing = false;
  }

  /** What cannot be written is written with the next update of the container. */
  #flushOne(record: ContainerRecord): void {
    try {
      this.#life.step('disk.container.flush');
      this.#disk.containers.set(record.id, record);
    } catch (thrown) {
      if (!(thrown instanceof TsdError)) throw thrown;
    }
  }

  #known(id: string): void {
    if (!this.#records.has(id)) throw new TsdError('TSD_BUG', `container ${id} is not loaded`);
  }
}

type VolumePart = Pick<
  VolumeStore,
  'damaged' | 'ids' | 'all' | 'get' | 'named' | 'anonymous' | 'create' | 'update' | 'remove'
>;

class SimVolumes implements VolumePart {
  /** Every record can be read. */
  readonly damaged = new Map();

  readonly #life: Life;
  readonly #disk: Disk;
  readonly #volumes: Map<string, VolumeRecord>;

  constructor(life: Life, disk: Disk) {
    this.#life = life;
    this.#disk = disk;
    this.#volumes = new Map(disk.volumes);
  }

  ids(): ReadonlySet<string> {
    return new Set(this.#volumes.keys());
  }

  all(): readonly VolumeRecord[] {
    return [...this.#volumes.values()];
  }

  get(id: string): VolumeRecord | undefined {
    return this.#volumes.get(id);
  }

  named(key: ResourceKey): VolumeRecord | undefined {
    return this.all().findLast(({ owner }) => owner.type === 'named' && owner.key === key);
  }

  keyed(key: ResourceKey): VolumeRecord | undefined {
    return this.all().findLast((volume) => volumeKey(volume) === key);
  }

  anonymous(key: ResourceKey, target: string): VolumeRecord | undefined {
    return this.all().findLast(
      ({ owner }) => owner.type === 'anonymous' && owner.containerKey === key && owner.target === target,
    );
  }

  create(volume: Omit<VolumeRecord, 'path'>, batch: DurableBatch): VolumeRecord {
    const record = { ...volume, path: `/sim/volumes/${volume.id}` };
    staged(batch).stage('disk.volume.data', () => this.#disk.volumeData.add(volume.id));
    staged(batch).stage('disk.volume.create', () => {
      this.#disk.volumes.set(volume.id, record);
      this.#volumes.set(volume.id, record);
    });
    return record;
  }

  update(volume: VolumeRecord, batch: DurableBatch): void {
    if (!this.#volumes.has(volume.id)) throw new TsdError('TSD_BUG', `volume ${volume.id} is not loaded`);
    staged(batch).stage('disk.volume.update', () => {
      this.#disk.volumes.set(volume.id, volume);
      this.#volumes.delete(volume.id);
      this.#volumes.set(volume.id, volume);
    });
  }

  async remove(id: string): Promise<void> {
    if (!this.#volumes.has(id)) return;
    this.#life.step('disk.volume.remove');
    this.#disk.volumes.delete(id);
    this.#life.step('disk.volume.remove.data');
    this.#disk.volumeData.delete(id);
    this.#volumes.delete(id);
    await this.#life.pause('disk.volume.remove');
  }
}

type ImagePart = Pick<GraphIndex, 'damaged' | 'all' | 'get' | 'lookup' | 'layersInUse' | 'add' | 'remove'>;

class SimImages implements ImagePart {
  /** Every record can be read. */
  damaged(): undefined {}

  readonly #life: Life;
  readonly #disk: Disk;
  readonly #images: Map<string, ImageRecord>;

  constructor(life: Life, disk: Disk) {
    this.#life = life;
    this.#disk = disk;
    this.#images = new Map(disk.images);
  }

  all(): readonly ImageRecord[] {
    return [...this.#images.values()];
  }

  get(id: string): ImageRecord | undefined {
    return this.#images.get(id);
  }

  lookup(prefix: string): ImageRecord {
    const image = this.all().find(({ id }) => id.startsWith(prefix));
    if (image) return image;
    throw new TsdError('TSD_NO_SUCH_RESOURCE', `no such id: ${prefix}`);
  }

  layersInUse(): ReadonlySet<string> {
    return new Set(this.all().flatMap((image) => [image.id, ...(image.Tsdocker?.Layers ?? []).map((l) => l.ChainId)]));
  }

  add(image: ImageRecord, batch: DurableBatch): void {
    if (this.#images.has(image.id)) return;
    staged(batch).stage('disk.image.create', () => {
      this.#disk.images.set(image.id, image);
      this.#images.set(image.id, image);
    });
  }

  async remove(id: string): Promise<void> {
    if (!this.#images.has(id)) return;
    this.#life.step('disk.image.remove');
    this.#disk.images.delete(id);
    this.#images.delete(id);
    await this.#life.pause('disk.image.remove');
  }
}

type NamePart = Pick<RepositoryStore, 'lookup' | 'namesOf' | 'set' | 'delete'>;

class SimNames implements NamePart {
  readonly #life: Life;
  readonly #disk: Disk;

  constructor(life: Life, disk: Disk) {
    this.#life = life;
    this.#disk = disk;
  }

  lookup(text: string, byPrefix: (prefix: string) => string): string {
    return this.#disk.names.get(text) ?? byPrefix(text);
  }

  namesOf(id: string) {
    const names = [...this.#disk.names].filter(([, tagged]) => tagged === id);
    return names.map(([name]) => ({ repository: name.slice(0, -':latest'.length), tag: 'latest' }));
  }

  async set(name: { repository: string; tag: string }, id: string): Promise<void> {
    await this.#life.pause('disk.names');
    this.#life.step('disk.names');
    this.#disk.names.set(`${name.repository}:${name.tag}`, id);
  }

  async delete(name: { repository: string; tag: string }): Promise<void> {
    await this.#life.pause('disk.names');
    this.#life.step('disk.names');
    this.#disk.names.delete(`${name.repository}:${name.tag}`);
  }
}

/** The stores as the operations know them; they use no more of the classes than is here. */
export function openSimStores(life: Life, disk: Disk) {
  return {
    containers: new SimContainers(life, disk) as unknown as ContainerStore,
    volumes: new SimVolumes(life, disk) as unknown as VolumeStore,
    images: new SimImages(life, disk) as unknown as GraphIndex,
    repositories: new SimNames(life, disk) as unknown as RepositoryStore,
  };
}

/**
 * A store of SQLite whose changes are steps. `durable` names the method that makes a transaction, within which there is
 * no step: a crash leaves all of it or nothing.
 */
export function guarded<T extends object>(life: Life, label: string, store: T, reads: readonly (keyof T)[]): T {
  const plain = new Set<PropertyKey>(reads);
  return new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function' || name === 'constructor') return member;
      return (...args: unknown[]) => {
        if (!plain.has(name) && !inTransaction.has(life)) life.step(`${label}.${String(name)}`);
        return member.apply(target, args) as unknown;
      };
    },
  });
}

const inTransaction = new WeakSet<Life>();

/** Runs a transaction of SQLite as one step. */
export function transaction<T>(life: Life, label: string, run: () => T): T {
  life.step(label);
  inTransaction.add(life);
  try {
    return run();
  } finally {
    inTransaction.delete(life);
  }
}
