import type { Orphan } from '../../model/observed.ts';

type OrphanType = Orphan['type'];

/** Ids of our objects found in the kernel and on disk, by type. */
export type Found = Readonly<Partial<Record<OrphanType, Iterable<string>>>>;

/** The safe order of removal, lowest rank first: processes before what they use. */
const RANKS: Readonly<Record<OrphanType, number>> = {
  process: 0,
  sandbox: 1,
  bridge: 2,
  snapshot: 3,
  lease: 4,
  state: 5,
};
const ORDER = (Object.keys(RANKS) as OrphanType[]).sort((a, b) => RANKS[a] - RANKS[b]);

/**
 * Returns the found objects whose id has no owner.
 * @param owners ids in use, by type; a container owns the things that carry its id
 */
export function findOrphans(found: Found, owners: (type: OrphanType, id: string) => boolean): Orphan[] {
  return ORDER.flatMap((type) => {
    const unowned = new Set<string>();
    for (const id of found[type] ?? []) if (!owners(type, id)) unowned.add(id);
    return [...unowned].sort().map((id) => ({ type, id }));
  });
}
