/** One prune of a kind at a time. */
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';

type Pruned = 'containers' | 'networks' | 'volumes';

const underWay = new WeakMap<object, Set<Pruned>>();

/** @throws DockerError 409 while another one of the kind is under way */
export async function pruning<T>({ imperative }: DockerParts, what: Pruned, prune: () => Promise<T>): Promise<T> {
  const known = underWay.get(imperative) ?? new Set();
  underWay.set(imperative, known);
  if (known.has(what)) throw new DockerError(409, 'a prune operation is already running');
  known.add(what);
  try {
    return await prune();
  } finally {
    known.delete(what);
  }
}
