/** Whether what some apps declare is there. */
import { parseKey, type ResourceKey } from '../model/resource.ts';
import { changedBase } from '../reconcile/plan/bases.ts';
import { isContainer, startConditions } from '../reconcile/plan/references.ts';
import type { ViewInput } from './view-input.ts';
import { statusOf } from './views.ts';

type Input = Pick<ViewInput, 'desired' | 'observed' | 'loop'>;

export type Readiness =
  | { readonly state: 'ready' }
  | { readonly state: 'waiting'; readonly resource: ResourceKey; readonly message: string }
  | { readonly state: 'failed'; readonly resource: ResourceKey; readonly message: string };

const READY: Readiness = { state: 'ready' };

function hasImage({ desired, observed }: Input, key: ResourceKey): boolean {
  const image = observed.images.get(key);
  const declared = desired.resources.get(key);
  if (declared && (image?.specHash !== declared.specHash || changedBase(declared, observed.images) !== null))
    return false;
  return image?.current === true && image.imageId !== null;
}

function ofPrerequisite(input: Input, key: ResourceKey): Readiness {
  const { kind } = parseKey(key);
  const present =
    (kind === 'image' && hasImage(input, key)) ||
    (kind === 'volume' && input.observed.volumes.get(key)?.released === false) ||
    (kind === 'network' && input.observed.networks.get(key)?.healthy === true);
  if (present && !input.loop.inFlight(key)) return READY;
  const hold = input.loop.hold(key);
  return {
    state: hold?.reason === 'failed' ? 'failed' : 'waiting',
    resource: key,
    message: hold?.message ?? 'not ready yet',
  };
}

/** False while a container runs the image that its declaration meant before. */
function isOfItsImage({ desired, observed }: Input, key: ResourceKey): boolean {
  const image = desired.resources.get(key)?.references.image ?? null;
  const wanted = image === null ? null : (observed.images.get(image)?.imageId ?? null);
  return wanted === null || observed.containers.get(key)?.imageId === wanted;
}

/** Containers of which others wait for the end: they are not done while they run. */
function awaitedEnds({ desired }: Input): ReadonlySet<ResourceKey> {
  const conditions = [...desired.resources.values()]
    .filter(isContainer)
    .flatMap(({ references, spec }) => startConditions(references, spec));
  return new Set(conditions.filter(({ condition }) => condition === 'completed').map(({ key }) => key));
}

function ofContainer(input: Input, key: ResourceKey, awaited: ReadonlySet<ResourceKey>): Readiness {
  const { desired, observed, loop } = input;
  const update = observed.updates?.get(key);
  const held = desired.heldBack?.get(parseKey(key).app);
  const failure = update?.failure ?? (held?.failed ? held.reason : null);
  if (failure !== null) return { state: 'failed', resource: key, message: failure };
  const declared = desired.resources.get(key);
  const current = observed.containers.get(key)?.specHash === declared?.specHash && isOfItsImage(input, key);
  const status = statusOf(input, key);
  const message = status.message === '' ? status.phase : status.message;
  const waiting: Readiness = { state: 'waiting', resource: key, message };
  const failed: Readiness = { state: 'failed', resource: key, message };
  if (update && update.cutOverAtBootMs === null) return waiting;
  if (!declared || loop.inFlight(key)) return waiting;
  if (observed.containers.get(key)?.running && awaited.has(key)) {
    return { ...waiting, message: 'it runs, and others wait for its end' };
  }
  if (status.ready && current) return READY;
  if (loop.hold(key)?.reason === 'finished' && current) return failed;
  return status.phase === 'Failed' ? failed : waiting;
}

/** Containers that are declared or exist; a predecessor that drains keeps nobody waiting. */
function containersOf({ desired, observed }: Input, apps: ReadonlySet<string>): ResourceKey[] {
  const keys = new Set([...desired.resources.keys(), ...observed.containers.keys()]);
  const concerned = [...keys].filter((key) => {
    const { kind, app, name } = parseKey(key);
    return kind === 'container' && apps.has(app) && !name.endsWith('.old');
  });
  return concerned.sort();
}

/** Whether everything of some apps is as declared: containers ready, everything else there, the removed gone. */
export function readiness(input: Input, apps: ReadonlySet<string>): Readiness {
  let waiting: Readiness | null = null;
  const prerequisites = [...input.desired.resources.keys()].filter((key) => {
    const { kind, app } = parseKey(key);
    return kind !== 'container' && apps.has(app);
  });
  for (const key of prerequisites) {
    const state = ofPrerequisite(input, key);
    if (state.state === 'failed') return state;
    if (state.state === 'waiting') waiting ??= state;
  }
  const awaited = awaitedEnds(input);
  for (const key of containersOf(input, apps)) {
    const state = ofContainer(input, key, awaited);
    if (state.state === 'failed') return state;
    if (state.state === 'waiting') waiting ??= state;
  }
  return waiting ?? READY;
}
