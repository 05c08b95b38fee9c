import type { Timers } from '../../model/clock.ts';
import type { World } from '../ops/world.ts';
import { checkConnection } from './connection-check.ts';
import type { Check } from './prober.ts';
import { checkProgram } from './program-check.ts';

/** Tries of probes on the real host. */
export function realChecks(world: World, timers: Timers): Check {
  return (record, probe, signal) =>
    probe.check.type === 'exec'
      ? checkProgram(world, timers, record, probe.check.argv, probe.timeoutMs, signal)
      : checkConnection(world, timers, record, probe.check, probe.timeoutMs, signal);
}
