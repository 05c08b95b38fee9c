/** Programs that clients asked for in containers: asked for in one request, started in another, looked at in a third. */
import { randomBytes } from 'node:crypto';
import type { StdioSession } from '../../drivers/contract/exec.ts';
import { DockerError } from '../wire/docker-error.ts';

export interface ExecRequest {
  readonly containerId: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string | null;
  readonly user: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly privileged: boolean;
  readonly detachKeys: string;
  /** Rows and columns; null where the client says none. */
  readonly size: readonly [number, number] | null;
}

export interface ExecInstance {
  readonly id: string;
  readonly request: ExecRequest;
  /** Null before it is started, and where it could not be. */
  session: StdioSession | null;
  isStarted: boolean;
  /** Null while it runs, and before. */
  exitCode: number | null;
}

/** Those that ended, or that were never started, are kept up to so many; the oldest go first. */
const MOST_KEPT = 1_000;

export class ExecInstances {
  readonly #instances = new Map<string, ExecInstance>();

  add(request: ExecRequest): ExecInstance {
    const id = randomBytes(32).toString('hex');
    const instance: ExecInstance = { id, request, session: null, isStarted: false, exitCode: null };
    this.#instances.set(id, instance);
    this.#forgetOldest();
    return instance;
  }

  /** @throws DockerError 404 */
  get(id: string): ExecInstance {
    const found = this.#instances.get(id);
    if (found !== undefined) return found;
    throw new DockerError(404, `No such exec instance: ${id}`);
  }

  /** Ids of those that run in a container. */
  runningIn(containerId: string): readonly string[] {
    const inside = [...this.#instances.values()].filter(({ request }) => request.containerId === containerId);
    return inside.filter(isRunning).map(({ id }) => id);
  }

  #forgetOldest(): void {
    let left = this.#instances.size - MOST_KEPT;
    if (left <= 0) return;
    for (const instance of this.#instances.values()) {
      if (left <= 0) return;
      if (isRunning(instance)) continue;
      this.#instances.delete(instance.id);
      left -= 1;
    }
  }
}

export const isRunning = ({ isStarted, exitCode }: ExecInstance): boolean => isStarted && exitCode === null;
