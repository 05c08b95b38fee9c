/** The limits of a container. */
import { z } from 'zod';
import { field } from '../field.ts';
import { parseUlimit, ULIMIT_NAMES } from './runtime-forms.ts';
import { orNull, shortForm, textOrNumber } from './schema-parts.ts';
import { parseBytes } from './short-forms.ts';

/** Docker refuses less: an address space that small cannot start a program (daemon/create.go of 1.4). */
const MIN_MEMORY_BYTES = 4 * 1024 ** 2;

const memory = shortForm(textOrNumber(), parseBytes).refine(
  (bytes) => bytes >= MIN_MEMORY_BYTES,
  'the minimum is 4MiB',
);

const memorySwap = z.union([z.literal([-1, 'unlimited']).transform(() => -1), shortForm(textOrNumber(), parseBytes)], {
  error: 'expected a size, or unlimited',
});

const ulimits = z
  .partialRecord(z.enum(ULIMIT_NAMES), shortForm(textOrNumber(), parseUlimit))
  .transform((written) => Object.fromEntries(Object.entries(written)))
  .prefault({});

/** Written names; {@link resources} gives them units. */
export const resourceFields = z.strictObject({
  memory: field(orNull(memory), {
    doc: 'Most memory the container may use; at least 4MiB.',
    change: 'in-place',
    example: '256MiB',
  }),
  memorySwap: field(orNull(memorySwap), {
    doc: 'Memory and swap together, or `unlimited`. Requires `memory`.',
    change: 'in-place',
    example: '512MiB',
  }),
  cpus: field(orNull(z.number().min(0.01).max(4096)), {
    doc: 'CPU time, as a number of CPUs.',
    change: 'in-place',
    example: 0.5,
  }),
  cpuShares: field(orNull(z.int().min(2).max(262_144)), {
    doc: 'Relative weight when the CPUs are busy; 1024 is usual.',
    change: 'in-place',
    example: 512,
  }),
  cpuset: field(
    orNull(
      z
        .union([z.string(), z.int().min(0).transform(String)])
        .pipe(z.string().regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'expected CPU numbers, for example 0-1,3')),
    ),
    {
      doc: 'CPUs the container may run on.',
      change: 'in-place',
      example: '0-1,3',
    },
  ),
  pids: field(orNull(z.int().min(1).max(4_194_304)), {
    doc: 'Most processes and threads.',
    change: 'in-place',
    example: 200,
  }),
  ulimits: field(ulimits, {
    doc: 'Limits of each process, getrlimit(2) without RLIMIT_: a number, `soft:hard` or `unlimited`.',
    change: 'in-place',
    example: { nofile: '1024:4096' },
  }),
});

export const resources = resourceFields
  .transform(({ memory, memorySwap, ...rest }, context) => {
    const short = memorySwap !== null && memorySwap !== -1 && memory !== null && memorySwap < memory;
    if (memorySwap !== null && (memory === null || short)) {
      const message = short
        ? 'memorySwap counts memory and swap together and cannot be less than memory'
        : 'memorySwap needs memory';
      context.addIssue({ code: 'custom', message, path: ['memorySwap'] });
    }
    return { memoryBytes: memory, memorySwapBytes: memorySwap, ...rest };
  })
  .prefault({});

type Resources = z.output<typeof resources>;

/** The limits of a container as a whole, without those of each of its processes. */
export function limitsOf({ ulimits: _perProcess, ...limits }: Resources): Omit<Resources, 'ulimits'> {
  return limits;
}
