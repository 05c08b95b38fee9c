/** A program on a real terminal of its own, and what it shows there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { ReadStream } from 'node:tty';
import { openTerminalOn, setTerminalSize, type Terminal } from '../../src/ffi/process/pty.ts';
import { until } from './wait.ts';

/** A new terminal of the host. */
function openTerminal(): Terminal {
  const devpts = openSync('/dev/pts', constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return openTerminalOn(devpts);
  } finally {
    closeSync(devpts);
  }
}

export class OnTerminal {
  /** 128 + signal when it was killed. */
  readonly exited: Promise<number>;
  readonly #master: number;
  readonly #keyboard: ReadStream;
  readonly #child: ChildProcess;
  #screen = '';

  constructor(argv: readonly string[], env: NodeJS.ProcessEnv, rows: number, columns: number) {
    const { master, path } = openTerminal();
    const slave = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    setTerminalSize(master, rows, columns);
    // With the terminal as its controlling one it hears of sizes and hang-ups, as in a terminal window.
    this.#child = spawn('setsid', ['--ctty', '--wait', ...argv], { stdio: [slave, slave, slave], env });
    closeSync(slave);
    this.#master = master;
    this.#keyboard = new ReadStream(master);
    this.#keyboard.on('data', (chunk: Buffer) => {
      this.#screen += chunk.toString('latin1');
    });
    // EIO: no one has the other end any more.
    this.#keyboard.on('error', () => {});
    this.exited = new Promise((resolve) =>
      this.#child.once('exit', (code, signal) => resolve(code ?? 128 + osConstants.signals[signal ?? 'SIGKILL'])),
    );
  }

  get screen(): string {
    return this.#screen;
  }

  type(keys: string): void {
    this.#keyboard.write(keys);
  }

  resize(rows: number, columns: number): void {
    setTerminalSize(this.#master, rows, columns);
  }

  shows(text: string): Promise<unknown> {
    return until(`${JSON.stringify(text)} on the terminal that shows ${JSON.stringify(this.#screen)}`, () =>
      this.#screen.includes(text),
    );
  }

  /** Takes the terminal away. */
  close(): void {
    this.#keyboard.destroy();
  }
}
