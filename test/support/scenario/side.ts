/** One daemon that runs a transcript: its client, a directory, a registry, and where its network is. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxBase, dockerArchive, tarOf } from '../images.ts';
import { OnTerminal } from '../pty.ts';
import { until } from '../wait.ts';
import { normal } from './normal.ts';
import { keyText, type Step } from './transcript.ts';

export interface Side {
  /** `unix:///…` */
  readonly socket: string;
  /** `127.0.0.1:port` of a registry that the daemon reaches. */
  readonly registry: string;
  /** A free port of the daemon's host. */
  readonly port: number;
  /** The first three bytes of a free network. */
  readonly lan: string;
  /** What a command line begins with that runs in the network of the daemon. */
  readonly launcher: readonly string[];
}

/** Longer than any step takes, on a busy machine. */
const STEP_SECONDS = 60;
const [ROWS, COLUMNS] = [33, 99];

export class ScenarioRun {
  readonly #side: Side;
  readonly #directory = mkdtempSync('/tmp/tsd-scenario-');
  readonly #known: readonly (readonly [string, string])[];

  constructor(side: Side) {
    this.#side = side;
    this.#known = [
      [side.registry, '<registry>'],
      [this.#directory, '<dir>'],
      [`:${side.port}`, ':<port>'],
      [`"${side.port}"`, '"<port>"'],
      [`${side.lan}.`, '<lan>.'],
    ];
    fill(this.#directory);
  }

  /** The step as it went. */
  async step(step: Step): Promise<Step> {
    const outcome = step.keys.length > 0 ? await this.#onTerminal(step) : await this.#command(step.line);
    return { ...step, outcome };
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #env(): NodeJS.ProcessEnv {
    const { socket, registry, port, lan } = this.#side;
    return {
      PATH: process.env.PATH,
      HOME: this.#directory,
      TERM: 'xterm',
      LC_ALL: 'C',
      TZ: 'UTC',
      DOCKER_HOST: socket,
      DOCKER_CONFIG: join(this.#directory, '.docker'),
      DOCKER_BUILDKIT: '0',
      DOCKER_CLI_HINTS: 'false',
      FROM_HOST: 'of-the-host',
      REGISTRY: registry,
      PORT: String(port),
      LAN: lan,
    };
  }

  #argv(line: string): readonly string[] {
    return [...this.#side.launcher, 'timeout', '-s', 'KILL', String(STEP_SECONDS), 'sh', '-c', line];
  }

  #command(line: string): Promise<readonly string[]> {
    const [program = '', ...args] = this.#argv(line);
    return new Promise((resolve) => {
      const options = { cwd: this.#directory, env: this.#env, maxBuffer: 2 ** 26 };
      const child = execFile(program, args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code ?? -1);
        const errors = normal(stderr, this.#known).map((one) => `! ${one}`);
        resolve([...normal(stdout, this.#known), ...errors, ...(code === 0 ? [] : [`[${code}]`])]);
      });
      child.stdin?.end();
    });
  }

  async #onTerminal({ line, keys }: Step): Promise<readonly string[]> {
    const argv = [...this.#side.launcher, 'env', '-C', this.#directory, 'sh', '-c', `exec ${line}`];
    const terminal = new OnTerminal(argv, this.#env, ROWS, COLUMNS);
    try {
      for (const key of keys) {
        if (key.type === 'shown') await terminal.shows(keyText(key));
        else terminal.type(keyText(key));
      }
      let code: number | null = null;
      void terminal.exited.then((exited) => {
        code = exited;
      });
      await until(`the end of ${line}`, () => code !== null);
      return code === 0 ? [] : [`[${code}]`];
    } finally {
      terminal.close();
    }
  }
}

const IMAGE_CONFIG = { Cmd: ['sh'], Env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'] };

const DOCKERFILE = `FROM bb AS first
ARG WORD=word
RUN echo $WORD >/word
FROM bb
LABEL made=here
ENV GREETING=hello
WORKDIR /work
COPY --from=first /word .
COPY file .
ADD packed.tar .
USER 12:34
EXPOSE 80
CMD cat word file inner; id -u
`;

/** What the steps use. */
function fill(directory: string): void {
  const write = (name: string, content: string | Buffer): void => writeFileSync(join(directory, name), content);
  for (const name of ['html', 'context', '.docker']) mkdirSync(join(directory, name));
  write('bb.tar', dockerArchive({ layers: [busyboxBase()], config: IMAGE_CONFIG, names: ['bb:1'] }));
  write('env', '# a comment\nIN_FILE=of-the-file\n');
  write('html/index.html', 'a page\n');
  write('context/Dockerfile', DOCKERFILE);
  write('context/file', 'a file\n');
  write('context/packed.tar', tarOf({ path: 'inner', content: 'unpacked\n' }));
  write('context/Failing', 'FROM bb\nRUN exit 9\n');
  write('context/Wrong', 'FROM bb\nNONSENSE x\n');
  write('context/Piped', 'FROM bb\nCMD ["echo","from a pipe"]\n');
}
