import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { Timers } from '../../model/clock.ts';
import { type ConnectionPorts, checkConnection } from './connection-check.ts';
import type { Check } from './prober.ts';
import { checkProgram } from './program-check.ts';

export interface CheckPorts extends ConnectionPorts {
  readonly exec: Pick<ExecDriver, 'name' | 'capabilities' | 'exec'>;
}

/** Tries of probes on the real host. */
export function realChecks(ports: CheckPorts, timers: Timers): Check {
  return (record, probe, signal) =>
    probe.check.type === 'exec'
      ? checkProgram(ports.exec, timers, record, probe.check.argv, probe.timeoutMs, signal)
      : checkConnection(ports, timers, record, probe.check, probe.timeoutMs, signal);
}
