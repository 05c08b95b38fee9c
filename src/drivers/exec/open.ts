import type { Sysinfo } from '../../ffi/host/sysinfo.ts';
import type { Clock } from '../../model/clock.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { Instance } from '../contract/driver.ts';
import type { ExecDriver } from '../contract/exec.ts';

export interface ExecDriverContext {
  readonly instance: Instance;
  readonly clock: Clock;
  readonly shimBinary: string;
  readonly sysinfo: Sysinfo;
}

export type CreateExecDriver = (context: ExecDriverContext) => ExecDriver;

/** @throws TsdError TSD_DRIVER_UNKNOWN */
export function openExecDriver(
  drivers: Readonly<Record<string, CreateExecDriver>>,
  name: string,
  context: ExecDriverContext,
): ExecDriver {
  const create = Object.hasOwn(drivers, name) ? drivers[name] : undefined;
  if (create !== undefined) return create(context);
  const names = Object.keys(drivers).join(', ');
  throw new TsdError('TSD_DRIVER_UNKNOWN', `unknown exec driver ${name}; there are ${names}`);
}
