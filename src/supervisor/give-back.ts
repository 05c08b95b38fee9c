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

/** Reports whether a run is alive or in an unknown state. */
function runs({ containers, exec }: Pick<GiveBackPorts, 'containers' | 'exec'>): boolean {
  return containers.all().some((record) => exec.running(record.id) !== null || isUnknown(record));
}

/** Reports whether any process of a container is there, also one that the supervisor does not know of. */
export function isAnythingRunning(ports: Pick<GiveBackPorts, 'containers' | 'exec'>): boolean {
  return runs(ports) || ports.exec.alive();
}

/**
 * Restores the host when no container runs: settings, rules, bridges, control groups. While a container runs, all of it
 * stays. The next start recreates what is missing.
 */
export function giveHostBack(ports: GiveBackPorts, log: Logger): void {
  try {
    if (isAnythingRunning(ports)) return;
    for (const text of ports.network.giveBack()) log.info(text);
    ports.exec.giveBack();
  } catch (thrown) {
    const error = toTsdError(thrown);
    log.error({ code: error.code }, `the host was not fully restored: ${describeError(error)}`);
  }
}
