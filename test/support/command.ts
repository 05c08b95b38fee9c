import { type ChildProcess, spawn } from 'node:child_process';
import type { TestSupervisor } from './supervisor.ts';

/** A command that goes on while the test looks at what it says. */
export class Command {
  output = '';
  readonly #child: ChildProcess;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;

  constructor({ program, socket }: Pick<TestSupervisor, 'program' | 'socket'>, ...args: readonly string[]) {
    const env = { ...process.env, TSDOCKER_HOST: socket, NO_COLOR: '1' };
    this.#child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (piece: Buffer) => {
        this.output += piece.toString();
      });
    }
    this.ended = new Promise((done) => this.#child.once('close', done));
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    this.#child.kill(signal);
    return this.ended;
  }
}
