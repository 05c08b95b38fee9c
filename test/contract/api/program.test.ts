/** The built program as a separate process: signals, exit codes, streams. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Script } from 'node:vm';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ensureBuilt, PROGRAM } from '../../support/api/built.ts';
import { type Served, serve } from '../../support/api/served.ts';
import { until } from '../../support/wait.ts';

const ROOT = dirname(dirname(PROGRAM));

let served: Served;
let children: Running[];
beforeAll(ensureBuilt);
beforeEach(async () => {
  served = await serve();
  children = [];
});
afterEach(async () => {
  for (const { child } of children) child.kill('SIGKILL');
  await served.end();
});

interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

function start(command: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(command, argv, { env: { ...process.env, TSDOCKER_HOST: served.host, ...env } });
  const collect = (stream: NodeJS.ReadableStream) => {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    return () => text;
  };
  const ended = new Promise<number | string | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  const running = { child, stdout: collect(child.stdout), stderr: collect(child.stderr), ended };
  children.push(running);
  return running;
}

const tsdocker = (...argv: readonly string[]) => start(PROGRAM, argv);

/** Runs a command line of the program on a pseudo-terminal of 132 columns and 40 rows. */
const onTerminal = (line: string, before = '') =>
  start('script', ['-qec', `stty rows 40 cols 132; ${before} ${PROGRAM} ${line}`, '/dev/null'], {
    TERM: 'xterm',
    NO_COLOR: '',
  });

describe('exec', () => {
  test('keeps stdout and stderr apart and passes the exit code on', async () => {
    const run = tsdocker('exec', 'web', 'exit', '42');
    expect(await run.ended).toBe(42);
    expect([run.stdout(), run.stderr()]).toEqual(['', 'leaving with 42\n']);
  });

  test('ends standard input when ours ends', async () => {
    const run = tsdocker('exec', '-i', 'web', 'cat');
    run.child.stdin?.end('x'.repeat(1_000_000));
    expect(await run.ended).toBe(0);
    expect(run.stdout()).toHaveLength(1_000_000);
  });

  test('ends with the command, also while our input is open', async () => {
    const run = tsdocker('exec', '-i', 'web', 'exit', '3');
    expect(await run.ended).toBe(3);
  });

  test('passes signals on', async () => {
    const run = tsdocker('exec', '-i', 'web', 'cat');
    run.child.stdin?.write('connected');
    await until('the echo', () => run.stdout() === 'connected');
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(143);
    expect(served.supervisor.sessions[0]?.signals).toEqual([15]);
  });
});

describe('exec -it on a terminal', () => {
  test('passes the size and raw keys, and restores the terminal', async () => {
    const run = onTerminal('exec -it web size; stty -a | grep -o " -\\?icanon"');
    await until('the size', () => run.stdout().includes('40x132'));
    expect(served.supervisor.asked[0]?.with).toMatchObject({
      request: { tty: true, stdin: true, env: ['TERM=xterm'] },
    });
    run.child.stdin?.write('\u0003');
    run.child.stdin?.write('q');
    expect(await run.ended).toBe(0);
    expect(served.supervisor.sessions[0]?.signals, 'Ctrl-C is a key').toEqual([]);
    expect(run.stdout()).toMatch(/ icanon/);
  });

  test('passes a new size on', async () => {
    const marker = join(served.directory, 'resize');
    const run = onTerminal(
      'exec -it web size',
      `(until [ -e ${marker} ]; do sleep 0.01; done; stty rows 51 cols 91 </dev/tty) &`,
    );
    await until('the first size', () => run.stdout().includes('40x132'));
    writeFileSync(marker, '');
    await until('the new size', () => run.stdout().includes('51x91'));
    run.child.stdin?.write('q');
    expect(await run.ended).toBe(0);
  });
});

test('colours and a live region on a terminal', async () => {
  const run = onTerminal('get containers');
  expect(await run.ended).toBe(0);
  expect(run.stdout()).toContain('\u001b[32mRunning');
});

test('a closed pipe ends a following command silently', async () => {
  served.supervisor.logs = async function* () {
    for (;;) yield { log: 'again and again\n', stream: 'stdout', time: '' } as const;
  };
  const run = start('bash', ['-c', `set -o pipefail; ${PROGRAM} logs -f web | head -n 1`]);
  expect(await run.ended).toBe(141);
  expect([run.stdout(), run.stderr()]).toEqual(['again and again\n', '']);
});

test('output into a slow pipe is complete', async () => {
  served.supervisor.entries = Array.from({ length: 5000 }, (_item, index) => ({
    log: `${index} ${'x'.repeat(200)}\n`,
    stream: 'stdout' as const,
    time: '',
  }));
  const run = start('bash', ['-c', `${PROGRAM} logs web | (read first; sleep 0.2; wc -l)`]);
  expect(await run.ended).toBe(0);
  expect(run.stdout().trim()).toBe('4999');
});

test('a checkout without a build reports that', () => {
  const copy = join(served.directory, 'bin/tsdocker');
  mkdirSync(join(served.directory, 'bin'));
  copyFileSync(PROGRAM, copy);
  const { status, stderr } = spawnSync(process.execPath, [copy], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([1, 'error: tsdocker is not built\nhint: run `npm run build` in the checkout.\n']);
});

describe('the bytecode beside the program', () => {
  /** A copy of the program whose file of bytecode is what `edit` makes of it. */
  function copyWith(edit: (cache: Buffer) => Buffer | null): string {
    const home = join(served.directory, 'copy');
    for (const part of ['bin', 'dist', 'package.json']) cpSync(join(ROOT, part), join(home, part), { recursive: true });
    const path = join(home, 'dist/cli/index.js.cache');
    const edited = edit(readFileSync(path));
    if (edited === null) rmSync(path);
    else writeFileSync(path, edited);
    return join(home, 'bin/tsdocker');
  }

  test('is used by the node that wrote it', () => {
    const { loadKept } = createRequire(import.meta.url)(PROGRAM) as { loadKept: () => { script: Script } };
    const { script } = loadKept();
    expect(script.cachedDataRejected).toBe(false);
  });

  test('is not used for another program of the same length', () => {
    const copy = copyWith((cache) => cache);
    const path = join(copy, '../../dist/cli/index.js');
    const text = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      text.replace(/^\/\*.{16}/, `/*${'0'.repeat(16)}`).replaceAll('list containers', 'LIST containers'),
    );
    expect(spawnSync(copy, ['--help'], { encoding: 'utf8' }).stdout).toContain('LIST containers');
  });

  test.each([
    ['is not there', () => null],
    ['is empty', () => Buffer.alloc(0)],
    ['is of another program', (cache: Buffer) => Buffer.concat([Buffer.alloc(16, '0'), cache.subarray(16)])],
    [
      'is of another V8',
      (cache: Buffer) => Buffer.concat([cache.subarray(0, 16), Buffer.from('another version'), cache.subarray(31)]),
    ],
    ['is cut off', (cache: Buffer) => cache.subarray(0, 1000)],
  ])('the program also runs where it %s', async (_case, edit) => {
    const run = start(copyWith(edit), ['get', 'containers', '-o', 'name']);
    expect([await run.ended, run.stdout(), run.stderr()]).toEqual([0, 'blog/web\nblog/migrate\n', '']);
  });
});

test('the bash completion completes commands, options and names', async () => {
  const script = `source <(tsdocker completion bash)
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_WORDBREAKS=:; COMP_LINE="$*"
    COMP_LINE=\${COMP_LINE// : /:}; COMP_POINT=\${#COMP_LINE}; _tsdocker; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const complete = async (...words: readonly string[]) => {
    const path = `${dirname(PROGRAM)}:${process.env.PATH}`;
    const run = start('bash', ['-c', script, 'bash', 'tsdocker', ...words], { PATH: path });
    await run.ended;
    return run.stdout().trim().split('\n');
  };
  expect(await complete('de')).toEqual(['delete', 'describe']);
  expect(await complete('logs', '--fo')).toEqual(['--follow']);
  expect(await complete('get', 'vol')).toEqual(['volumes']);
  expect(await complete('logs', '')).toEqual(['blog/web', 'blog/migrate', 'blog/']);
  expect(await complete('exec', 'blog/')).toEqual(['blog/web', 'blog/migrate']);
  expect(await complete('describe', 'vol')).toEqual(['volume/blog/data']);
  expect(await complete('why', 'blog/w')).toEqual(['blog/web']);
  expect(await complete('rmi', 'ng')).toEqual(['nginx:1.27']);
  // A word with a colon is three to bash, and it puts its answer in the place of the last.
  expect(await complete('rmi', 'nginx', ':', '1')).toEqual(['1.27']);
  expect(await complete('approve', 'vol')).toEqual(['volume/blog/data']);
  expect(await complete('rollback', '--to', '')).toEqual(['7', '6']);
  expect(await complete('history', '--diff', '')).toEqual(['7', '6']);
  expect(await complete('get', 'c', '-o', 'y')).toEqual(['yaml']);
});
