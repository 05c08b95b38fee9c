import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { Networks } from '../drivers/contract/network.ts';
import type { Timers } from '../model/clock.ts';
import { describeError, toTsdError } from '../model/errors/errors.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import { isUnknown } from '../state/restore.ts';
import type { Logger } from './log.ts';

/** What runs, and what was changed on the host for it. */
export interface GiveBackPorts {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly exec: Pick<ExecDriver, 'running' | 'alive' | 'giveBack'>;
  readonly network: Pick<Networks, 'giveBack'>;
  readonly timers: Timers;
}

/** Reports whether a run is alive or in an unknown state. */
function runs({ containers, exec }: Pick<GiveBackPorts, 'containers' | 'exec'>): boolean {
  return containers.all().some((record) => exec.running(record.id) !== null || isUnknown(record));
}

/** How long processes of containers that have ended may take to leave their control group, and how often that is looked at. */
const LEAVE_MS = 1_000;
const LOOK_MS = 10;
/** What the loop would do with its next look is done here: no look follows. */
const TRIES = 3;
const PAUSE_MS = 50;

const pause = (timers: Timers, ms: number): Promise<void> =>
  new Promise((resolve) => {
    timers.after(ms, resolve);
  });

/**
 * Reports whether any process of a container is there, also one that the supervisor does not know of. Where all known runs
 * have ended, what is just ending is waited for.
 */
export async function isAnythingRunning(
  ports: Pick<GiveBackPorts, 'containers' | 'exec' | 'timers'>,
): Promise<boolean> {
  for (let leftMs = LEAVE_MS; ; leftMs -= LOOK_MS) {
    if (runs(ports)) return true;
    if (!ports.exec.alive()) return false;
    if (leftMs <= 0) return true;
    await pause(ports.timers, LOOK_MS);
  }
}

/**
 * Restores the host when no container runs: settings, rules, bridges, control groups. While a container runs, all of it
 * stays. The next start recreates what is missing.
 */
export async function giveHostBack(ports: GiveBackPorts, log: Logger): Promise<void> {
  try {
    if (await isAnythingRunning(ports)) return;
    const stays = await networksGivenBack(ports).finally(() => ports.exec.giveBack());
    for (const text of stays) log.info(text);
  } catch (thrown) {
    const error = toTsdError(thrown);
    log.error({ code: error.code }, `the host was not fully restored: ${describeError(error)}`);
  }
}

/** Each try takes away what it finds. @throws TsdError of the last one */
async function networksGivenBack({ network, timers }: GiveBackPorts): Promise<readonly string[]> {
  for (let left = TRIES - 1; ; left--) {
    try {
      return network.giveBack();
    } catch (error) {
      if (left === 0) throw error;
      await pause(timers, PAUSE_MS);
    }
  }
}
