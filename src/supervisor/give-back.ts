import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { Networks } from '../drivers/contract/network.ts';
import { describeError, toTsdError } from '../model/errors/errors.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import { isUnknown } from '../state/restore.ts';
import type { Logger } from './log.ts';

/** What runs, and what was changed on the host for it. */
export interface GiveBackPorts {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly exec: Pick<ExecDriver, 'running' | 'alive' | 'giveBack'>;
  readonly network: Pick<Networks, 'giveBack'>;
}

/** A run that goes on, or of which that could not be found out. */
function runs({ containers, exec }: Pick<GiveBackPorts, 'containers' | 'exec'>): boolean {
  return containers.all().some((record) => exec.running(record.id) !== null || isUnknown(record));
}

/**
 * Where no container runs any more, the host gets back what was changed on it for them: settings, rules, bridges, control
 * groups. With one that goes on all of it stays. Whatever is left of it is made whole by the next start.
 */
export function giveHostBack(ports: GiveBackPorts, log: Logger): void {
  try {
    if (runs(ports) || ports.exec.alive()) return;
    for (const text of ports.network.giveBack()) log.info(text);
    ports.exec.giveBack();
  } catch (thrown) {
    const error = toTsdError(thrown);
    log.error({ code: error.code }, `not all was given back to the host: ${describeError(error)}`);
  }
}
