/** Resources by what people call them. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { Kind, ResourceKey } from '../../model/resource.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import { isUnknown } from '../../state/restore.ts';
import { volumeKey } from '../../state/volumes/volume-record.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import { type Nameable, resolveName } from '../views/names.ts';

export interface NamingPorts {
  desired(): DesiredState;
  readonly containers: Pick<ContainerStore, 'all' | 'byKey'>;
  readonly volumes: Pick<VolumeStore, 'all'>;
  readonly resources: Pick<ResourceStore, 'images' | 'networks'>;
  defaultNetwork(): { readonly key: string } | null;
  readonly exec: Pick<ExecDriver, 'unrecorded'>;
  /** Why it is unknown whether a container still runs, by its id. */
  readonly unanswered: ReadonlyMap<string, string>;
}

export class NamedResources {
  readonly #ports: NamingPorts;

  constructor(ports: NamingPorts) {
    this.#ports = ports;
  }

  /** All that a name may mean: what is declared and what is there. */
  all(): Nameable[] {
    const { desired, containers, volumes, resources } = this.#ports;
    const declared = [...desired().resources.values()].map(({ key, engineName }) => ({ key, engineName }));
    const present = containers
      .all()
      .flatMap(({ owner, engineName, id }) => (owner ? [{ key: owner.key, engineName, id }] : []));
    const data = volumes.all().flatMap((volume) => {
      const key = volumeKey(volume);
      return key === null ? [] : [{ key, id: volume.id }];
    });
    const images = resources.images().map(({ key, imageId }) => ({ key, id: imageId }));
    const networks = [this.#ports.defaultNetwork(), ...resources.networks()].flatMap((network) =>
      network === null ? [] : [{ key: network.key as ResourceKey }],
    );
    return [...declared, ...present, ...data, ...images, ...networks];
  }

  /** @throws TsdError TSD_NO_SUCH_RESOURCE, TSD_AMBIGUOUS_NAME */
  key(kind: Kind, name: string): ResourceKey {
    return resolveName(kind, name, this.all());
  }

  /** Returns a container whose run state is known. @throws TSD_SHIM with the reason when it is not */
  reachable(name: string): ContainerRecord {
    const record = this.container(name);
    const { unanswered, exec } = this.#ports;
    const reason = isUnknown(record) ? unanswered.get(record.id) : exec.unrecorded(record.id);
    if (reason === undefined || reason === null) return record;
    throw new TsdError('TSD_SHIM', `container ${record.engineName} cannot be reached: ${reason}`, {
      key: record.owner?.key,
      hint: 'Nothing was changed.',
    });
  }

  /** @throws TSD_CONTAINER_NOT_RUNNING while it is not made yet, and as {@link key} */
  container(name: string): ContainerRecord {
    const key = this.key('container', name);
    const record = this.#ports.containers.byKey(key);
    if (record) return record;
    throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${name} does not exist yet`, { key });
  }
}
