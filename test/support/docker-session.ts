/** Docker's client with logins of its own, and raw answers as lines and JSON, against one supervisor of a test. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ask, docker, type RawAnswer } from './docker-client.ts';
import type { CliResult, TestSupervisor } from './supervisor.ts';

export const DOCKER_INSTALLED = spawnSync('docker', ['--version']).error === undefined;

interface Answer extends RawAnswer {
  /** The objects of a stream of lines. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  readonly json: unknown;
}

export class DockerSession {
  readonly #supervisor: TestSupervisor;
  /** Directory of its logins. */
  readonly config: string;

  constructor(supervisor: TestSupervisor) {
    this.#supervisor = supervisor;
    this.config = join(supervisor.base, 'docker-config');
    mkdirSync(this.config, { recursive: true });
  }

  run(...args: readonly string[]): Promise<CliResult> {
    return this.runWith('', ...args);
  }

  runWith(input: string | Buffer, ...args: readonly string[]): Promise<CliResult> {
    const env = { DOCKER_CONFIG: this.config, DOCKER_BUILDKIT: '0' };
    return docker(this.#supervisor.socket, args, { input, env });
  }

  /** As {@link run}, and fails the test when the command does. */
  async ok(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...args);
    if (status !== 0) throw new Error(`docker ${args.join(' ')} exited ${status}:\n${stdout}${stderr}`);
    return stdout;
  }

  async raw(method: string, path: string, request: Parameters<typeof ask>[3] = {}): Promise<Answer> {
    const answer = await ask(this.#supervisor.socket, method, path, request);
    const text = answer.body.toString('utf8');
    return {
      ...answer,
      get lines() {
        return text.split('\r\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
      },
      get json() {
        return JSON.parse(text) as unknown;
      },
    };
  }
}
