/** Plans that are shown before something is done, and while nothing is done. */
import type { Resolution } from '../../manifest/desired-state.ts';
import type { ObservedState } from '../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { observe } from '../../reconcile/observe.ts';
import type { Plan } from '../../reconcile/op.ts';
import type { World } from '../../reconcile/ops/world.ts';
import { plan } from '../../reconcile/plan/plan.ts';
import { relatedKeys, relationsOf } from '../../reconcile/plan/scope.ts';
import { volumeKey } from '../../state/volumes/volume-record.ts';

type Scope = ReadonlySet<ResourceKey> | null;

/** What would be wanted, with the copies of files that would be kept for it; left out, none. */
export type Wanted = Pick<Resolution, 'state'> & Partial<Pick<Resolution, 'copies'>>;

export class Planner {
  readonly #world: World;
  readonly #seed: string;

  constructor(world: World, seed: string) {
    this.#world = world;
    this.#seed = seed;
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
    const { containers, volumes, resources } = this.#world;
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

  #plan({ state: desired, copies }: Wanted, scope: Scope, refreshed: readonly ResourceKey[]): Plan {
    const world: World = { ...this.#world, desired: () => desired, ...(copies && { copiesToCome: copies }) };
    const observed = withRefreshedImages(observe(world, scope), refreshed);
    return plan({ desired, observed, now: world.clock.now(), seed: this.#seed, scope, busy: new Set() });
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
