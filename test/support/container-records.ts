/** Records of containers that come and go, in memory. */
import type { ResourceKey } from '../../src/model/resource.ts';
import type { ContainerRecord } from '../../src/state/containers/container-record.ts';
import type { RecordWatcher } from '../../src/state/containers/containers.ts';
import { containerRecord } from './container-record.ts';

export interface Made {
  readonly bridge?: string | null;
  readonly spec?: object;
  readonly resolver?: ContainerRecord['resolver'];
}

const idOf = (key: string): string => Buffer.from(key).toString('hex').padEnd(64, '0').slice(-64);

/** A container on one network. */
export function container(
  app: string,
  name: string,
  last: number,
  { bridge = 'br0', spec = {}, resolver = { ndots: null } }: Made = {},
) {
  const key = `container/${app}/${name}` as ResourceKey;
  const base = containerRecord();
  const network = {
    address: `10.0.0.${last}`,
    prefixLength: 24,
    mac: '',
    gateway: '',
    bridge: bridge ?? '',
    ports: [],
    exposed: [],
  };
  return containerRecord({
    id: idOf(key),
    owner: base.owner && {
      ...base.owner,
      key,
      written: {
        hostname: null,
        domainname: '',
        links: [],
        dns: [],
        network: 'bridge',
        volumes: [],
        volumesFrom: [],
        ...spec,
      },
    },
    engineName: `${app}-${name}`,
    network: bridge === null ? null : network,
    resolver,
  });
}

export class Records {
  readonly #records = new Map<string, ContainerRecord>();
  readonly #watchers: RecordWatcher[] = [];
  readonly damagedIds: string[] = [];
  all = () => [...this.#records.values()];
  get = (id: string) => this.#records.get(id);
  byKey = (key: ResourceKey) => this.all().find(({ owner }) => owner?.key === key);
  watch = (watcher: RecordWatcher) => this.#watchers.push(watcher);

  put(record: ContainerRecord): void {
    this.#records.set(record.id, record);
    for (const watcher of this.#watchers) watcher.recordChanged(record.id);
  }

  remove({ id }: ContainerRecord): void {
    this.#records.delete(id);
    for (const watcher of this.#watchers) watcher.recordChanged(id);
  }
}
