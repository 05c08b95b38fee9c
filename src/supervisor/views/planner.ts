/** Plans that are shown before something is done, and while nothing is done. */
import type { Resolution } from '../../manifest/desired-state.ts';
import type { Clock } from '../../model/clock.ts';
import type { ObservedState } from '../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { Plan } from '../../reconcile/op.ts';
import { plan } from '../../reconcile/plan/plan.ts';
import { relatedKeys, relationsOf } from '../../reconcile/plan/scope.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import { volumeKey } from '../../state/volumes/volume-record.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';

export type Scope = ReadonlySet<ResourceKey> | null;

/** What would be wanted, with the copies of files that would be kept for it; left out, none. */
export type Wanted = Pick<Resolution, 'state'> & Partial<Pick<Resolution, 'copies'>>;

export interface PlannerPorts {
  /** What is now, beside what would be wanted. */
  look(wanted: Wanted, scope: Scope): ObservedState;
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly volumes: Pick<VolumeStore, 'all'>;
  readonly resources: Pick<ResourceStore, 'networks' | 'images'>;
  readonly clock: Clock;
  readonly seed: string;
}

export class Planner {
  readonly #ports: PlannerPorts;

  constructor(ports: PlannerPorts) {
    this.#ports = ports;
  }

  /**
   * All that would be done, what the kernel lacks included.
   * @param refreshed images that are planned as if their refresh was requested
   */
  everything(wanted: Wanted, refreshed: readonly ResourceKey[] = []): Plan {
    return this.#plan(wanted, null, refreshed);
  }

  /** What the loop will do at once when this becomes the desired state and only these apps differ from the present one. */
  ofApps(wanted: Wanted, apps: ReadonlySet<string>, refreshed: readonly ResourceKey[] = []): Plan {
    const desired = wanted.state;
    const { containers, volumes, resources } = this.#ports;
    const known = [
      ...desired.resources.keys(),
      ...containers.all().flatMap(({ owner }) => (owner ? [owner.key] : [])),
      ...volumes.all().flatMap((volume) => volumeKey(volume) ?? []),
      ...resources.networks().map(({ key }) => key),
      ...resources.images().map(({ key }) => key),
    ];
    const own = known.filter((key) => apps.has(parseKey(key).app));
    return this.#plan(wanted, relatedKeys(own, relationsOf(desired)), refreshed);
  }

  #plan(wanted: Wanted, scope: Scope, refreshed: readonly ResourceKey[]): Plan {
    const { look, clock, seed } = this.#ports;
    const observed = withRefreshedImages(look(wanted, scope), refreshed);
    return plan({ desired: wanted.state, observed, now: clock.now(), seed, scope, busy: new Set() });
  }
}

function withRefreshedImages(observed: ObservedState, refreshed: readonly ResourceKey[]): ObservedState {
  if (refreshed.length === 0) return observed;
  const images = new Map(observed.images);
  for (const key of refreshed) {
    const image = images.get(key);
    if (image) images.set(key, { ...image, current: false });
  }
  return { ...observed, images };
}
