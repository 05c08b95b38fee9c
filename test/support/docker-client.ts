/** Docker's own client, and plain HTTP, against a supervisor of a test. */
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import type { CliResult } from './supervisor.ts';

const DOCKER = '/usr/bin/docker';
const MAX_OUTPUT = 64 * 1024 * 1024;

/** @param socket as TestSupervisor has it: `unix:///…` */
export function docker(
  socket: string,
  args: readonly string[],
  { input = '', env = {} }: { readonly input?: string | Buffer; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<CliResult> {
  return new Promise((resolve) => {
    const environment = { ...process.env, DOCKER_HOST: socket, DOCKER_CONFIG: '/nonexistent', ...env };
    const child = execFile(DOCKER, args, { env: environment, maxBuffer: MAX_OUTPUT }, (error, stdout, stderr) => {
      const status = error === null ? 0 : Number(error.code ?? 1);
      resolve({ status, stdout, stderr });
    });
    // A client that ends before it has read its input has its reason.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** One HTTP request; the answer is read to its end. */
export function ask(
  socket: string,
  method: string,
  path: string,
  { body, headers = {} }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<RawAnswer> {
  const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const all =
    bytes === undefined || Buffer.isBuffer(body) ? headers : { 'content-type': 'application/json', ...headers };
  return new Promise((resolve, reject) => {
    const options = { socketPath: socket.replace('unix://', ''), method, path, headers: all, agent: false };
    const asked = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    asked.on('error', reject);
    asked.end(bytes);
  });
}
