/** Limits that this kernel cannot set: which they are, and what follows for containers that ask for them. Pure. */
import type { LimitName, Sysinfo } from '../ffi/host/sysinfo.ts';
import type { Desired } from '../model/desired.ts';
import type { ContainerSpec } from '../model/kinds/container.ts';
import type { DeclarationNote } from '../model/notes/update-notes.ts';
import type { ResourceKey } from '../model/resource.ts';

export interface LimitSupport {
  /** Known to be missing. One that could not be looked at is left to be tried. */
  readonly lacking: ReadonlySet<LimitName>;
  /** Those of them that a container is started without; it is not started without the others. */
  readonly discarded: ReadonlySet<LimitName>;
}

type Resources = ContainerSpec['resources'];

/** Members of `resources` that hold each limit. */
const MEMBERS = {
  memory: 'memoryBytes',
  memorySwap: 'memorySwapBytes',
  cpus: 'cpus',
  cpuShares: 'cpuShares',
  cpuset: 'cpuset',
  pids: 'pids',
} as const satisfies Record<LimitName, keyof Resources>;
const NAMES = Object.keys(MEMBERS) as readonly LimitName[];

/** @param discards as Docker does: a limit that is missing is left out, with a warning */
export function limitSupport({ limits }: Pick<Sysinfo, 'limits'>, discards: boolean): LimitSupport {
  const lacking = new Set(NAMES.filter((limit) => limits[limit] === false));
  return { lacking, discarded: discards ? lacking : new Set() };
}

export const askedLimits = (resources: Resources): LimitName[] =>
  NAMES.filter((limit) => resources[MEMBERS[limit]] !== null);

export const lackingText = (limit: LimitName): string => `this kernel does not support the limit resources.${limit}`;

/** Limits as they are set: without those that are discarded. Swap is not limited without memory. */
export function keptLimits<R extends Omit<Resources, 'ulimits'>>(resources: R, discarded: ReadonlySet<LimitName>): R {
  if (discarded.size === 0) return resources;
  const gone: readonly LimitName[] = discarded.has('memory') ? [...discarded, 'memorySwap'] : [...discarded];
  return { ...resources, ...Object.fromEntries(gone.map((limit) => [MEMBERS[limit], null])) };
}

/** Warnings about limits that a container runs without. */
export function limitNotes(
  resources: ReadonlyMap<ResourceKey, Desired>,
  { lacking, discarded }: LimitSupport,
): DeclarationNote[] {
  if (lacking.size === 0) return [];
  return [...resources.values()].flatMap((resource): DeclarationNote[] => {
    if (resource.kind !== 'container') return [];
    const { key, name, spec, positions, source } = resource as Desired<'container'>;
    const asked = askedLimits(spec.resources);
    const note = (limit: LimitName, message: string, hint: string): DeclarationNote => ({
      key,
      message: `${name}: ${message}`,
      hint,
      source: positions[`resources.${limit}`] ?? positions.resources ?? source,
      warning: true,
    });
    const gone = asked
      .filter((limit) => discarded.has(limit))
      .map((limit) =>
        note(limit, `${lackingText(limit)}; it is discarded`, 'Take it out, or boot a kernel that has it.'),
      );
    const swaps =
      asked.includes('memory') && !asked.includes('memorySwap') && lacking.has('memorySwap') && !lacking.has('memory');
    if (!swaps) return gone;
    const message = 'this kernel does not support swap limits; its memory is limited without swap';
    return [...gone, note('memory', message, 'Boot with `swapaccount=1`, or without swap.')];
  });
}
