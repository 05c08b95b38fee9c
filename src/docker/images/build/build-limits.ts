/** Limits and hosts of RUN as clients send them. Pure. */
import { isIP } from 'node:net';
import { z } from 'zod';
import type { BuildLimits } from '../../../api/images/build.ts';
import { DockerError } from '../../wire/docker-error.ts';
import { parseAs } from '../../wire/parse.ts';
import type { Query } from '../../wire/query.ts';

const ulimits = z
  .array(z.looseObject({ Name: z.string(), Soft: z.int().nullish(), Hard: z.int().nullish() }))
  .nullish();

const DEFAULT_PERIOD = 100_000;

/** Docker writes 0 where nothing is set. @throws DockerError 400 */
function amount(query: Query, name: string, least = 0): number | null {
  const value = query.number(name) ?? 0;
  if (value < least) throw new DockerError(400, `invalid ${name}: ${value}`);
  return value === 0 ? null : value;
}

/** @throws DockerError 400 */
export function limitsOf(query: Query): BuildLimits {
  const quota = amount(query, 'cpuquota', -1);
  const period = amount(query, 'cpuperiod') ?? DEFAULT_PERIOD;
  const memory = amount(query, 'memory');
  return {
    memoryBytes: memory,
    // As much swap as memory, as Docker has it.
    memorySwapBytes: amount(query, 'memswap', -1) ?? (memory === null ? null : 2 * memory),
    cpus: quota === null || quota < 0 ? null : quota / period,
    cpuShares: amount(query, 'cpushares'),
    cpuset: query.text('cpusetcpus') || null,
    shmBytes: amount(query, 'shmsize'),
    ulimits: Object.fromEntries(
      (parseAs(ulimits, query.json('ulimits')) ?? []).map(({ Name, Soft, Hard }) => [
        Name,
        { soft: Soft ?? 0, hard: Hard ?? 0 },
      ]),
    ),
  };
}

/** `name:address`; clients before 20.10 may write several in one parameter. @throws DockerError 400 */
export function hostsOf(text: string): string[] {
  return text.split(',').flatMap((one) => {
    if (one === '') return [];
    const at = one.search(/[:=]/);
    const [name, written] = [one.slice(0, Math.max(0, at)), one.slice(at + 1)];
    const address = written.replace(/^\[(.*)\]$/, '$1');
    if (address === 'host-gateway') throw new DockerError(501, `extrahosts ${one}: a build has no host-gateway here`);
    if (!/^[A-Za-z0-9_.-]+$/.test(name) || isIP(address) === 0) {
      throw new DockerError(400, `invalid extrahosts ${JSON.stringify(one)}: write name:address`);
    }
    return [`${name}:${address}`];
  });
}
