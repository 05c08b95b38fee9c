import { describeError, toTsdError } from '../model/errors/errors.ts';
import type { World } from '../reconcile/ops/world.ts';
import { isUnknown } from '../state/restore.ts';
import type { Logger } from './log.ts';

/** A run that goes on, or of which that could not be found out. */
function runs({ containers, exec }: Pick<World, 'containers' | 'exec'>): boolean {
  return containers.all().some((record) => exec.running(record.id) !== null || isUnknown(record));
}

/**
 * Where no container runs any more, the host gets back what was changed on it for them: settings, rules, bridges, control
 * groups. With one that goes on all of it stays. Whatever is left of it is made whole by the next start.
 */
export function giveHostBack(world: Pick<World, 'containers' | 'exec' | 'network'>, log: Logger): void {
  try {
    if (runs(world) || world.exec.alive()) return;
    for (const text of world.network.giveBack()) log.info(text);
    world.exec.giveBack();
  } catch (thrown) {
    const error = toTsdError(thrown);
    log.error({ code: error.code }, `not all was given back to the host: ${describeError(error)}`);
  }
}
