/** Refuses what a job run by name does not declare: a variable with a typing error would be one that is not set. */
import type { JobSpec } from '../../engine/job-spec.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { isYes, usageHint } from './parameters.ts';

/** @throws TSD_BAD_REQUEST */
export function refuseUndeclared(spec: JobSpec, args: readonly string[], env: Readonly<Record<string, string>>): void {
  const hint = usageHint(spec);
  const unknown = Object.keys(env).find((name) => !Object.hasOwn(spec.env ?? {}, name));
  if (unknown !== undefined) {
    throw new TsdError('TSD_BAD_REQUEST', `${spec.name} has no variable ${unknown}`, { hint });
  }
  const surplus = args[mostArguments(spec)];
  if (surplus !== undefined) {
    throw new TsdError('TSD_BAD_REQUEST', `${spec.name} takes no argument ${surplus}`, { hint });
  }
  if (spec.confirm !== undefined && !isYes(env.yes ?? '')) {
    const message = `${spec.name} ${spec.summary}: it needs --env yes=1`;
    throw new TsdError('TSD_BAD_REQUEST', message, { hint: spec.confirm });
  }
}

/** `STATUS ID [FROM]` are three; `…` stands for any number. */
function mostArguments({ args = '' }: JobSpec): number {
  if (args.includes('…')) return Number.POSITIVE_INFINITY;
  return args.split(' ').filter((word) => word !== '').length;
}
