/** Servers and clients as processes of their own, in network namespaces: what they do does not wait for the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';

const file = (name: string): string => new URL(name, import.meta.url).pathname;

export interface LoadPart {
  /** Requests on connections of their own. */
  readonly asked: number;
  /** How many of them a server answered, by its name. */
  readonly answers: Readonly<Record<string, number>>;
  /** Addresses of the client as servers saw them. */
  readonly seen: Readonly<Record<string, number>>;
  readonly failed: readonly string[];
  /** Answers to slow requests on connections that stay open. */
  readonly slow: Readonly<Record<string, number>>;
  readonly slowFailed: readonly string[];
}

const place = <T>(netnsFd: number | null, what: () => T): T => (netnsFd === null ? what() : inNetns(netnsFd, what));

/** Resolves when it listens. */
export async function startServer(netnsFd: number | null, name: string, port: number): Promise<ChildProcess> {
  const child = place(netnsFd, () =>
    spawn(process.execPath, [file('server.mjs'), name, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

export class Load {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** @param rate new connections in a second @param open connections with slow requests */
  constructor(
    netnsFd: number | null,
    { port, rate, open, addresses }: { port: number; rate: number; open: number; addresses: readonly string[] },
  ) {
    const args = [file('client.mjs'), String(port), String(rate), String(open), ...addresses];
    this.#child = place(netnsFd, () => spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  /** Begins a part; what was asked before is counted where it was asked. */
  async mark(name: string): Promise<void> {
    await this.#tell(`mark ${name}`);
  }

  /** Everything so far. */
  look(): Promise<Readonly<Record<string, LoadPart>>> {
    return this.#tell('look');
  }

  /** Lets all requests end. */
  async end(): Promise<Readonly<Record<string, LoadPart>>> {
    this.#child.stdin?.end();
    return await this.#next();
  }

  async #tell(line: string): Promise<Readonly<Record<string, LoadPart>>> {
    this.#child.stdin?.write(`${line}\n`);
    return await this.#next();
  }

  async #next(): Promise<Readonly<Record<string, LoadPart>>> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the client ended');
    return (JSON.parse(value) as { parts: Readonly<Record<string, LoadPart>> }).parts;
  }
}
