/** What a command sees of the world: streams, environment, and the supervisor it talks to. */
import type { Readable, Writable } from 'node:stream';
import type { SupervisorClient } from '../api/client.ts';
import type { DockerArchives } from '../api/docker/archives.ts';
import type { DockerClient } from '../api/docker/client.ts';
import type { DeclaredCommand } from './command-line/command.ts';
import { type DataFormat, formatData } from './data.ts';

/** An output stream, which may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
type Input = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };

export interface Streams {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Unix time in ms. */
  readonly now: () => number;
}

/** One run of the program. */
export class CliContext {
  readonly streams: Streams;
  /** From -H or TSDOCKER_HOST; set before a command's action runs. */
  host = '';
  exitCode = 0;
  /** All commands, for completion scripts. */
  allCommands: () => readonly DeclaredCommand[] = () => [];

  constructor(streams: Streams) {
    this.streams = streams;
  }

  /** The supervisor's facade; no connection is made before the first call. */
  async client(): Promise<SupervisorClient> {
    const { SupervisorClient } = await import('../api/client.ts');
    return new SupervisorClient(this.host);
  }

  /** The Docker API of the supervisor, for what Docker's client has and our own API not. */
  async docker(): Promise<DockerClient> {
    const { DockerClient } = await import('../api/docker/client.ts');
    return new DockerClient(this.host);
  }

  /** Files of containers through the Docker API. */
  async dockerArchives(): Promise<DockerArchives> {
    const [{ DockerArchives }, { socketOf }] = await Promise.all([
      import('../api/docker/archives.ts'),
      import('../api/docker/client.ts'),
    ]);
    return new DockerArchives(socketOf(this.host));
  }

  /** A command's action from a function that returns the exit code. */
  action<A extends readonly unknown[]>(run: (...args: A) => Promise<number>): (...args: A) => Promise<void> {
    return async (...args) => {
      this.exitCode = await run(...args);
    };
  }

  print(text: string): void {
    this.streams.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  async printData(value: unknown, format: DataFormat): Promise<void> {
    this.print(await formatData(value, format));
  }

  warn(text: string): void {
    this.streams.stderr.write(`${text}\n`);
  }
}
