/** What a developer does with `docker compose` and one project, as lines that do not depend on which daemon it talks to. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './wait.ts';

const LOOP = (words: string): string => `trap "exit 0" TERM; echo ${words}; while :; do sleep 1 & wait $$!; done`;

const PROJECT = (subnet: string): string => `
name: shop
services:
  db:
    image: busybox
    command: [sh, -c, 'touch /data/ready; ${LOOP('db is up')}']
    volumes: ["data:/data"]
    networks: { back: { aliases: [database], ipv4_address: "${subnet}.10" } }
    healthcheck: { test: [CMD, test, -f, /data/ready], interval: 1s, timeout: 20s, retries: 20 }
    labels: { tier: "\${TIER:-one}" }
  migrate:
    image: busybox
    command: [sh, -c, 'echo 7 > /data/version; echo migrated']
    volumes: ["data:/data"]
    networks: [back]
    depends_on: { db: { condition: service_healthy } }
  web:
    image: busybox
    command: [sh, -c, '${LOOP('web is up')}']
    env_file: [web.env]
    environment: { MODE: "\${MODE:-plain}" }
    ports: ["127.0.0.1::80"]
    networks: { back: {}, front: {} }
    volumes: ["data:/data:ro"]
    depends_on: { migrate: { condition: service_completed_successfully } }
    develop: { watch: [{ action: sync, path: ./site, target: /site }] }
    build: ./site
  tool:
    image: busybox
    profiles: [debug]
    command: [sh, -c, '${LOOP('tool is up')}']
    networks: [front]
    links: ["web:shopfront"]
  built:
    image: shop-built
    build: ./built
    profiles: [build]
    pull_policy: never
    command: [cat, /page]
    network_mode: none
networks:
  back: { ipam: { config: [{ subnet: "${subnet}.0/24" }] } }
  front: {}
volumes:
  data: {}
`;

export interface ComposeHost {
  /** As DOCKER_HOST has it. */
  readonly socket: string;
  /** Of the project; made here. */
  readonly directory: string;
  /** Three bytes of a network that nothing else on that host uses. */
  readonly subnet: string;
}

export interface Step {
  readonly command: string;
  readonly status: number;
  /** Sorted where several services write at once. */
  readonly lines: readonly string[];
}

/** Longer than anything here takes on a host that is busy. */
const LIMIT_MS = 60_000;

class Project {
  readonly #host: ComposeHost;
  readonly steps: Step[] = [];

  constructor(host: ComposeHost) {
    this.#host = host;
    const at = (name: string): string => join(host.directory, name);
    for (const name of ['built', 'site']) mkdirSync(at(name), { recursive: true });
    writeFileSync(at('compose.yaml'), PROJECT(host.subnet));
    writeFileSync(at('web.env'), 'COLOUR=blue\n');
    writeFileSync(at('built/Dockerfile'), 'FROM busybox\nCOPY page /page\nRUN echo built > /mark\n');
    writeFileSync(at('built/page'), 'a page\n');
    writeFileSync(at('site/Dockerfile'), 'FROM busybox\n');
    writeFileSync(at('site/index.html'), 'first\n');
    writeFileSync(at('note'), 'a note\n');
  }

  get environment(): NodeJS.ProcessEnv {
    const own = { DOCKER_HOST: this.#host.socket, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: '/nonexistent' };
    return { ...process.env, ...own, COMPOSE_ANSI: 'never', COMPOSE_PROGRESS: 'plain', COLUMNS: '120' };
  }

  get directory(): string {
    return this.#host.directory;
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Step> {
    const [file, ...rest] = args[0] === 'docker' ? args : ['docker-compose', ...args];
    const options = { cwd: this.#host.directory, env: { ...this.environment, ...env }, timeout: LIMIT_MS };
    return new Promise((resolve) => {
      execFile(file ?? '', rest, { ...options, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
        const status = error === null ? 0 : Number(error.code ?? 1);
        resolve({ command: args.join(' '), status, lines: [...plain(stdout), ...plain(stderr)] });
      });
    });
  }

  /** Notes what it says. */
  async says(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<void> {
    const step = await this.run(args, env);
    this.steps.push({ ...step, lines: [...step.lines].sort() });
  }

  /** Notes that it works; in what order its parts are reported is the client's own. */
  async does(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<void> {
    const { command, status, lines } = await this.run(args, env);
    const last = new Map(
      lines.flatMap((line) => {
        const [, what = '', state = ''] = /^((?:Container|Network|Volume) \S+) +(\S.*)$/.exec(line) ?? [];
        return what === '' ? [] : [[what, state] as const];
      }),
    );
    // A wait for another service may be reported last, or first.
    const states = [...last].map(([what, state]) => (/Healthy|Waiting/.test(state) ? what : `${what} ${state}`)).sort();
    this.steps.push({ command, status, lines: status === 0 ? states : [...states, ...lines] });
  }

  note(command: string, lines: readonly string[]): void {
    this.steps.push({ command, status: 0, lines });
  }
}

/** Without what is another one each time: ids, ports, durations. */
function plain(text: string): readonly string[] {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: compose clears a line before it writes one
      .replaceAll(/\u001b\[[0-9;]*[A-Za-z]/g, '')
      .split('\n')
      .map((line) =>
        line
          .replaceAll(/\b[0-9a-f]{64}\b/g, '<id>')
          .replaceAll(/\b[0-9a-f]{12}\b/g, '<id>')
          .replaceAll(/127\.0\.0\.1:\d{4,5}/g, '127.0.0.1:<port>')
          .replaceAll(/\b10\.\d+\.\d+\.10\b/g, '<subnet>.10')
          .replaceAll(/\s+/g, ' ')
          .trim(),
      )
      .filter((line) => line !== '')
  );
}

const PS = ['ps', '-a', '--format', '{{.Name}} {{.Service}} {{.State}} {{.Health}} {{.ExitCode}}'];

async function firstUp(project: Project): Promise<void> {
  await project.says(['config', '--services']);
  await project.does(['up', '-d', '--no-build']);
  await project.says(PS);
  await project.says(['logs', '--no-log-prefix']);
  await project.says(['exec', '-T', 'web', 'sh', '-c', 'echo $MODE $COLOUR; cat /data/version']);
  await project.says(['exec', '-T', 'migrate', 'true']);
  await project.says(['exec', '-T', 'web', 'sh', '-c', 'nslookup database | grep -A1 database; exit 3']);
  await project.says(['run', '--rm', '-T', '--no-deps', '-e', 'MODE=once', 'web', 'sh', '-c', 'echo $MODE; exit 4']);
  await project.says(['cp', 'note', 'web:/note']);
  await project.says(['exec', '-T', 'web', 'cat', '/note']);
  await project.says(['cp', 'web:/nothing', '.']);
  await project.says(['port', 'web', '80']);
  await project.says(['images', '--format', 'json', '-q']);
  await project.says([
    'docker',
    'network',
    'inspect',
    '-f',
    '{{range .Containers}}{{println .Name}}{{end}}',
    'shop_back',
  ]);
}

async function ofOneRun(project: Project): Promise<void> {
  await project.does(['pause', 'web']);
  await project.says(PS);
  await project.does(['unpause', 'web']);
  await project.does(['kill', '-s', 'USR2', 'tool']);
  await project.does(['restart', '-t', '5', 'web']);
  await project.does(['stop', '-t', '5', 'web']);
  await project.says(PS);
  await project.does(['start', 'web']);
  await project.says(['top', 'nothing']);
  await project.does(['kill', 'web']);
  await project.says(PS);
  await project.does(['up', '-d', '--no-build', '--no-deps', 'web']);
}

async function changes(project: Project): Promise<void> {
  await project.does(['up', '-d', '--no-build', '--scale', 'web=3']);
  await project.says(PS);
  await project.does(['up', '-d', '--no-build', '--scale', 'web=1']);
  await project.does(['up', '-d', '--no-build'], { MODE: 'new', TIER: 'two' });
  await project.says(['exec', '-T', 'web', 'sh', '-c', 'echo $MODE'], { MODE: 'new', TIER: 'two' });
  await project.says(['docker', 'inspect', '-f', '{{.Config.Labels.tier}} {{.State.Health.Status}}', 'shop-db-1']);
  await project.does(['--profile', 'debug', 'up', '-d', '--no-build']);
  await project.says([
    '--profile',
    'debug',
    'exec',
    '-T',
    'tool',
    'sh',
    '-c',
    'nslookup shopfront | grep -c shopfront',
  ]);
  await project.says(PS);
  await project.does(['up', '-d', '--no-build', '--force-recreate', '--no-deps', 'web']);
  await project.does(['--profile', 'build', 'build', '-q', 'built']);
  await project.says(['--profile', 'build', 'run', '--rm', '-T', 'built']);
  await project.does(['rm', '-f', '-s', 'migrate']);
  await project.says(PS);
}

/** A client that goes on until it is ended, and what it has printed. */
class Follower {
  readonly #child: ChildProcess;
  text = '';

  constructor(project: Project, ...args: readonly string[]) {
    this.#child = spawn('docker-compose', args, { cwd: project.directory, env: project.environment });
    for (const output of [this.#child.stdout, this.#child.stderr])
      output?.on('data', (chunk) => {
        this.text += String(chunk);
      });
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** What `logs -f`, `events` and `watch` show while something happens. */
async function followed(project: Project): Promise<void> {
  const logs = new Follower(project, 'logs', '-f', '--no-log-prefix', 'web');
  const events = new Follower(project, 'events', 'web');
  const watch = new Follower(project, 'watch', '--no-up', 'web');
  try {
    await until('compose watches', () => /watch/i.test(watch.text));
    await until('a file is in the container', async () => {
      // One that is written before the watch has begun is not seen, and compose waits for half a second without a change.
      writeFileSync(join(project.directory, 'site/index.html'), 'from watch\n');
      const copied = 'grep watch /site/index.html > /proc/1/fd/1';
      const again = Date.now() + 3_000;
      while (Date.now() < again)
        if ((await project.run(['exec', '-T', 'web', 'sh', '-c', copied])).status === 0) return true;
      return false;
    });
    await until('logs -f shows it', () => logs.text.includes('from watch'));
    await until('events tell of it', () => /container exec_create/.test(events.text));
    project.note('logs -f, events and watch', ['a synchronised file, a line and an event']);
  } catch (error) {
    const seen = [logs, events, watch].map(({ text }) => text).join('\n---\n');
    throw new Error(`${String(error)}\n${seen}`, { cause: error });
  } finally {
    for (const follower of [logs, events, watch]) follower.end();
  }
}

async function end(project: Project): Promise<void> {
  await project.does(['down', '-t', '5']);
  await project.says(['docker', 'volume', 'ls', '-q']);
  await project.does(['--profile', '*', 'down', '-v', '-t', '5', '--remove-orphans']);
  await project.says(['docker', 'ps', '-aq']);
  await project.says(['docker', 'volume', 'ls', '-q']);
  await project.says(['docker', 'network', 'ls', '--format', '{{.Name}}']);
}

export function transcript(steps: readonly Step[]): string {
  return steps
    .map(({ command, status, lines }) => `$ ${command} [${status}]\n${lines.map((line) => `  ${line}\n`).join('')}`)
    .join('');
}

/** The image `busybox` has to be there. @returns what each command said */
export async function composeScenario(host: ComposeHost): Promise<readonly Step[]> {
  const project = new Project(host);
  await firstUp(project);
  await ofOneRun(project);
  await changes(project);
  await followed(project);
  await end(project);
  return project.steps;
}
