/** `npm run suite:docker-py -- DIRECTORY`: docker-py's integration tests against a supervisor of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ask } from '../../support/docker-client.ts';
import { RegistryServer } from '../../support/registry.ts';
import { type SuiteDaemon, startDockerd, startOurs } from './daemons.ts';
import { fillRegistry, HELD } from './stand-ins.ts';
import { readExpected, readOutcomes, verdict } from './verdict.ts';

const USAGE = `Usage: npm run suite:docker-py -- [options] <directory>

Runs the integration tests of docker-py 7.1.0 against a supervisor of this checkout (\`npm run build\` first), and compares
them with test/suites/docker-py/expected-failures.txt: a test that fails and is not listed, and one that is listed and
passes, are unexpected. Swarm, plugins and the client's stores of passwords are left out.

It needs root, and the Debian packages python3-pytest, python3-requests, python3-paramiko, python3-websocket, busybox-static,
docker-registry and skopeo; no network: the images are made here, and a registry on this host plays Docker Hub. The
daemon, the registry and the tests have a network and a mount namespace of their own.

Arguments:
  directory         the sources of docker-py 7.1.0

Options:
  --dockerd         run them against a dockerd of this host's package docker.io, to know what Docker passes; nothing is
                    compared
  -k <expression>   only tests that pytest's own -k selects
  --keep-log <file> keep the daemon's log there
  -h, --help        display help for command

Example:
  # All tests; exit code 1 when something is unexpected
  npm run suite:docker-py -- /tmp/docker-py-7.1.0
`;

/** Those of swarms and plugins; those of the client's stores of passwords, which ask no daemon and leave no environment. */
const LEFT_OUT = [
  ...['api_config', 'api_plugin', 'api_secret', 'api_service', 'api_swarm'].map((name) => `${name}_test.py`),
  ...['models_nodes', 'models_services', 'models_swarm'].map((name) => `${name}_test.py`),
  'credentials',
];
const INSIDE = 'TSD_SUITE_INSIDE';
const WRONG_USAGE = 64;
/** Exit codes of pytest: all passed, some failed, none selected. Others say that it did not run them all. */
const DONE: readonly number[] = [0, 1, 5];

interface Options {
  readonly sources: string;
  readonly dockerd: boolean;
  readonly only: string | null;
  readonly keepLog: string | null;
}

function options(): Options | null {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      dockerd: { type: 'boolean', default: false },
      only: { type: 'string', short: 'k' },
      'keep-log': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [sources] = positionals;
  if (values.help || sources === undefined) return null;
  if (!existsSync(join(sources, 'tests/integration'))) throw new Error(`${sources} has no tests/integration`);
  return { sources, dockerd: values.dockerd, only: values.only ?? null, keepLog: values['keep-log'] ?? null };
}

/** Ends with the exit code of the child. A signal to the suite ends the child, and with it the suite in its own way. */
async function exitCodeOf(child: ChildProcess): Promise<number> {
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', forward).on('SIGTERM', forward);
  const code = await new Promise<number>((done, fail) => {
    child.once('error', fail);
    child.once('exit', (status) => done(status ?? 1));
  });
  process.off('SIGINT', forward).off('SIGTERM', forward);
  return code;
}

/** This program again, in a network where all addresses are free and a mount table that goes with it. */
function runInside(): Promise<number> {
  const own = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const script = 'mount --make-rshared / && ip link set lo up && exec "$@"';
  const args = ['-n', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', ...own];
  return exitCodeOf(spawn('unshare', args, { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } }));
}

async function pull(address: string): Promise<void> {
  for (const [name, tag] of HELD) {
    const { status, body } = await ask(address, 'POST', `/images/create?fromImage=${name}&tag=${tag}`);
    if (status !== 200 || body.includes('errorDetail')) throw new Error(`cannot pull ${name}:${tag}: ${body}`);
  }
}

/** The outcomes file of one run of pytest. */
async function pytest({ sources, only }: Options, address: string, home: string): Promise<string> {
  const file = join(home, 'outcomes');
  writeFileSync(file, '');
  // Without this file the client keeps its contexts in the directory of its sources.
  mkdirSync(join(home, '.docker'));
  writeFileSync(join(home, '.docker/config.json'), '{}');
  const ignored = LEFT_OUT.map((name) => `--ignore=tests/integration/${name}`);
  const plugins = ['-p', 'outcomes', '-p', 'no:cacheprovider'];
  const args = ['-m', 'pytest', 'tests/integration', ...plugins, ...ignored, ...(only === null ? [] : ['-k', only])];
  const env = {
    PATH: process.env.PATH ?? '',
    LANG: 'C.UTF-8',
    HOME: home,
    DOCKER_HOST: address,
    DOCKER_TEST_API_VERSION: '1.45',
    PYTHONPATH: import.meta.dirname,
    PYTHONDONTWRITEBYTECODE: '1',
    SUITE_OUTCOMES: file,
  };
  // Debian's, which sees Debian's packages.
  const child = spawn('/usr/bin/python3', args, { cwd: sources, env, stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await exitCodeOf(child);
  if (!DONE.includes(code)) throw new Error(`pytest ended with exit code ${code}`);
  return readFileSync(file, 'utf8');
}

async function runSuite(asked: Options): Promise<number> {
  const home = mkdtempSync('/tmp/tsd-suite-home-');
  const registry = new RegistryServer();
  let daemon: SuiteDaemon | null = null;
  try {
    await registry.start();
    await fillRegistry(registry);
    daemon = await (asked.dockerd ? startDockerd : startOurs)(registry.host);
    await pull(daemon.address);
    const outcomes = readOutcomes(await pytest(asked, daemon.address, home));
    const listed = readFileSync(join(import.meta.dirname, 'expected-failures.txt'), 'utf8');
    const { summary, unexpected } = verdict(outcomes, readExpected(asked.dockerd ? '' : listed), asked.only === null);
    console.log([...unexpected, summary].join('\n'));
    return unexpected.length === 0 ? 0 : 1;
  } finally {
    if (daemon !== null && asked.keepLog !== null) writeFileSync(asked.keepLog, readFileSync(daemon.log));
    await daemon?.stop();
    await registry.stop();
    rmSync(home, { recursive: true });
  }
}

const asked = options();
if (asked === null) {
  const isAsked = process.argv.some((word) => word === '-h' || word === '--help');
  (isAsked ? process.stdout : process.stderr).write(USAGE);
  process.exitCode = isAsked ? 0 : WRONG_USAGE;
} else process.exitCode = process.env[INSIDE] === undefined ? await runInside() : await runSuite(asked);
