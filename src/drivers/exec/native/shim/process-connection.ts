/**
 * Operations on a run whose shim runs and whose socket was removed, as `rm -rf` of the run directory
 * does: signals, and learning of its end. Its log and its exit record are files that the shim has open or finds itself.
 */
import { constants } from 'node:os';
import { sysError } from '../../../../ffi/call/errno.ts';
import { signalProcess } from '../../../../ffi/process/processes.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { TaskHandle } from '../../../contract/exec.ts';
import type { ShimEvents } from './shim-connection.ts';
import { type ShimIdentity, shimRuns } from './shim-identity.ts';
import { REQUEST } from './shim-protocol.ts';

/** How often the shim is looked for; nothing tells of the end of a process that is not our child. */
const LOOK_MS = 200;

/** The part of a conversation with a shim that a run needs. */
export interface RunConnection {
  listen(events: Pick<ShimEvents, 'unrecorded' | 'closed'>): void;
  /** As {@link ShimConnection.request}. */
  request(type: number, payload: Uint8Array): Promise<number>;
  /** As {@link ShimConnection.demand}. */
  demand(step: string, type: number, payload: Uint8Array): Promise<void>;
  close(): void;
}

type Processes = Pick<TaskHandle, 'pid' | 'startTime'> & ShimIdentity;

export class ProcessConnection implements RunConnection {
  readonly #processes: Processes;
  #timer: NodeJS.Timeout | undefined;

  constructor(processes: Processes) {
    this.#processes = processes;
  }

  listen({ closed }: Pick<ShimEvents, 'closed'>): void {
    this.#timer = setInterval(() => {
      if (!this.#hasEnded()) return;
      this.close();
      closed?.();
    }, LOOK_MS).unref();
  }

  /** Not when it could not be looked at: the next look tells. */
  #hasEnded(): boolean {
    try {
      return !shimRuns(this.#processes);
    } catch {
      return false;
    }
  }

  async request(type: number, payload: Uint8Array): Promise<number> {
    if (type === REQUEST.end || type === REQUEST.resize) return constants.errno.ENOSYS;
    if (type !== REQUEST.kill) throw new TsdError('TSD_BUG', `request ${type} without a socket`);
    const { pid, startTime } = this.#processes;
    return signalProcess(pid, startTime, Buffer.from(payload).readUInt32LE(0)) ? 0 : constants.errno.ESRCH;
  }

  async demand(step: string, type: number, payload: Uint8Array): Promise<void> {
    const errno = await this.request(type, payload);
    if (errno !== 0) throw sysError('pidfd_send_signal', errno, step);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
