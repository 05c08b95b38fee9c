/** Sessions with running containers: programs run in them, and connections to the payload's own stdio. */
import { closeSync } from 'node:fs';
import { openTerminalIn } from '../../../ffi/process/pty.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { AttachedSession, ExecSpec, StdioSession } from '../../contract/exec.ts';
import { AttachPlaces } from './attach-places.ts';
import type { AwaitedRuns } from './awaited-runs.ts';
import { openContainer } from './program/container-entry.ts';
import { factsOf } from './run-facts.ts';
import type { RunFiles } from './run-files.ts';
import type { Runs } from './runs.ts';
import type { Launcher } from './shim/launcher.ts';
import type { ShimChildren } from './shim/shim-children.ts';
import { ShimConnection } from './shim/shim-connection.ts';
import { shimRuns } from './shim/shim-identity.ts';
import { encodeSize, REQUEST } from './shim/shim-protocol.ts';
import { stdioSession } from './shim/stdio-session.ts';
import type { TaskCompiler } from './task-compiler.ts';

export interface SessionsContext {
  readonly children: ShimChildren;
  readonly compiler: Pick<TaskCompiler, 'exec'>;
  readonly files: RunFiles;
  readonly launcher: Launcher;
  readonly runs: Runs;
  readonly awaited: AwaitedRuns;
}

export class Sessions {
  readonly #context: SessionsContext;
  readonly #places = new AttachPlaces();

  constructor(context: SessionsContext) {
    this.#context = context;
  }

  /** As {@link ExecDriver.exec}. */
  async exec(containerId: string, spec: ExecSpec): Promise<StdioSession> {
    const { children, compiler, launcher, runs } = this.#context;
    const { handle, shim } = runs.need(containerId);
    const facts = factsOf(handle, shim);
    const entry = openContainer(handle);
    let terminal: number | null = null;
    try {
      if (spec.tty) terminal = openTerminalIn(entry.root).master;
      const task = compiler.exec(spec, { containerId, pid: handle.pid, facts, entry });
      const { launched, connection, shimPid } = await launcher.launch(task, terminal, { containerId, run: null });
      const session = stdioSession(connection, launched.pid, spec.stdin || spec.tty);
      const reap = (): void => children.leaving(shimPid);
      session.exited.then(reap, reap);
      return session;
    } finally {
      if (terminal !== null) closeSync(terminal);
      entry.close();
    }
  }

  /** As {@link ExecDriver.attach}. */
  async attach(containerId: string): Promise<AttachedSession> {
    const { files, runs } = this.#context;
    const { handle, shim } = runs.need(containerId);
    const leave = this.#places.take(containerId);
    try {
      const socket = files.socket(containerId, handle.run);
      const connection = ShimConnection.connect(socket, ShimConnection.ofSession);
      if (connection === null && shimRuns(shim)) throw noSocket(socket);
      const status = (await connection?.status()) ?? null;
      if (connection === null || status === null) throw justEnded(containerId);
      const session = stdioSession(connection, handle.pid, status.stdin);
      await connection.request(REQUEST.attach).catch(() => Promise.reject(justEnded(containerId)));
      session.exited.then(leave, leave);
      return { ...session, tty: status.tty };
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** As {@link ExecDriver.attachNext}. */
  async attachNext(containerId: string, signal: AbortSignal): Promise<AttachedSession> {
    for (;;) {
      const { connection, attached, tty, stdin } = await this.#context.awaited.next(containerId, signal);
      const leave = this.#placeOf(containerId, connection);
      const give = (): void => connection.close();
      signal.addEventListener('abort', give, { once: true });
      try {
        if ((await attached) !== 0) throw justEnded(containerId);
        // Nothing more is asked of the shim: a payload that has ended by now has taken it along, and all that it said is here.
        const session = stdioSession(connection, this.#context.runs.get(containerId)?.handle.pid ?? 0, stdin);
        session.exited.then(leave, leave);
        return { ...session, tty };
      } catch {
        // The start failed: it is the next one that is awaited.
        connection.close();
        leave();
        signal.throwIfAborted();
      } finally {
        signal.removeEventListener('abort', give);
      }
    }
  }

  #placeOf(containerId: string, connection: ShimConnection): () => void {
    try {
      return this.#places.take(containerId);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** As {@link ExecDriver.resize}. */
  async resize(containerId: string, rows: number, columns: number): Promise<void> {
    const { connection } = this.#context.runs.need(containerId);
    // ENOTTY: the payload has no terminal.
    await connection.request(REQUEST.resize, encodeSize(rows, columns));
  }
}

function justEnded(containerId: string): TsdError {
  return new TsdError('TSD_CONTAINER_NOT_RUNNING', `${containerId} has just ended`);
}

function noSocket(path: string): TsdError {
  return new TsdError('TSD_SHIM', `${path} is gone, by which its output would be read`, {
    step: 'attach',
    hint: '`tsdocker logs -f` shows its output; `tsdocker restart` gives it a new one.',
  });
}
