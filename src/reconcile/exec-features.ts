import type { ExecDriver } from '../drivers/contract/exec.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { ResourceKey } from '../model/resource.ts';

type Feature = keyof ExecDriver['capabilities'];

const WHAT: Readonly<Record<Feature, string>> = {
  exec: 'cannot run a program in a container',
  attach: 'cannot attach to a container',
  pause: 'cannot pause a container',
  limits: 'cannot limit the resources of a container',
};

/** What helps other than another driver. */
const HINTS: Partial<Record<Feature, string>> = {
  pause: 'Stop the container first (`tsdocker stop`), or start the supervisor with another exec driver (-e).',
};

/** @throws TsdError TSD_DRIVER_LACKS */
export function requireFeature(
  { name, capabilities }: Pick<ExecDriver, 'name' | 'capabilities'>,
  feature: Feature,
  key?: ResourceKey,
): void {
  if (capabilities[feature]) return;
  throw new TsdError('TSD_DRIVER_LACKS', `exec driver ${name} ${WHAT[feature]}`, {
    step: feature,
    key,
    hint: HINTS[feature],
  });
}
