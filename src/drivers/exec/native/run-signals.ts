/** Signals the payloads of runs, and ends runs. */
import { constants } from 'node:os';
import { SIGKILL } from '../../../ffi/process/processes.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { CgroupManager } from './cgroups/container-groups.ts';
import type { Runs } from './runs.ts';
import { encodeEnd, encodeNumber, REQUEST } from './shim/shim-protocol.ts';

export class RunSignals {
  readonly #runs: Runs;
  readonly #cgroups: Pick<CgroupManager, 'kill'>;

  constructor(runs: Runs, cgroups: Pick<CgroupManager, 'kill'>) {
    this.#runs = runs;
    this.#cgroups = cgroups;
  }

  /** As {@link ExecDriver.signal}. */
  async signal(containerId: string, signal: number): Promise<void> {
    await this.#runs.demand(this.#runs.need(containerId), `signal ${signal}`, REQUEST.kill, encodeNumber(signal));
  }

  /** As {@link ExecDriver.end}. */
  async end(containerId: string, signal: number, killAfterMs: number): Promise<boolean> {
    const run = this.#runs.need(containerId);
    try {
      await this.#runs.demand(run, `end with signal ${signal}`, REQUEST.end, encodeEnd(signal, killAfterMs));
      return true;
    } catch (error) {
      // A shim of an older version, or one whose socket is gone.
      if (!(error instanceof TsdError) || error.errno !== constants.errno.ENOSYS) throw error;
      await this.signal(containerId, signal);
      return false;
    }
  }

  /** As {@link ExecDriver.kill}. */
  async kill(containerId: string): Promise<void> {
    const run = await this.#runs.find(containerId);
    if (run === null) return;
    // The payload may end by itself meanwhile, which is as good.
    await run.connection.request(REQUEST.kill, encodeNumber(SIGKILL)).catch(() => {});
    // From the end of the run on, what is in its group is the next one.
    await this.#cgroups.kill(containerId, () => this.#runs.get(containerId) !== run);
    await this.#runs.buried(run);
  }
}
