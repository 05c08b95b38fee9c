import { execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ManifestView } from '../../src/api/views/resource-views.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';
import { PATIENCE_MS, until } from '../support/wait.ts';

const TSDOCKER = resolve(import.meta.dirname, '../../bin/tsdocker');

const supervisor = new TestSupervisor();
let keeperPid: number | null;

beforeAll(async () => {
  await supervisor.start();
  supervisor.drop(
    'keeper.yaml',
    `${BUSYBOX_IMAGE}containers:\n  keeper: { image: busybox, command: ${FOREVER}, restart: always }\n`,
  );
  keeperPid = (await supervisor.waitFor('keeper', 'ready', ({ ready }) => ready)).pid;
});

afterAll(async () => {
  await supervisor.destroy();
});

const keeperIsUntouched = async () =>
  expect(await supervisor.container('keeper')).toMatchObject({ phase: 'Running', pid: keeperPid, restarts: 0 });

async function manifest(file: string, state: ManifestView['state']): Promise<ManifestView> {
  return await until(`${file}: ${state}`, async () => {
    const views = JSON.parse(await supervisor.ok('get', 'manifests', '-o', 'json')) as ManifestView[];
    return views.find((view) => view.file === file && view.state === state);
  });
}

/** Where the issues stand, and what they say. */
const issuesOf = ({ issues }: ManifestView) =>
  issues.map(({ line, column, message }) => `${line}:${column} ${message}`);

test('plan accepts a file of the watched directory, apply refuses it', async () => {
  const file = join(supervisor.manifests, 'keeper.yaml');
  const link = join(supervisor.base, 'alias');
  symlinkSync(supervisor.manifests, link);
  for (const path of [file, join(link, 'keeper.yaml')]) {
    expect(await supervisor.cli('apply', '-f', path)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/keeper.yaml is in the watched directory\n.*get manifests/),
    });
  }
  const manifests = JSON.parse(await supervisor.ok('get', 'manifests', '-o', 'json')) as ManifestView[];
  expect(manifests.map(({ file: at, state }) => [at, state])).toEqual([[file, 'Active']]);
  await until('nothing left to do', async () => (await supervisor.cli('plan', '-f', file)).status === 0);
  expect(await supervisor.ok('diff', '-f', file)).toContain('No differences');
  await keeperIsUntouched();
});

describe('an invalid manifest', () => {
  test('is rejected with every position and affects no other', async () => {
    const syntax = supervisor.drop('syntax.yaml', 'containers:\n  a: { image: busybox\n  b: [\n');
    const fields = supervisor.drop(
      'fields.yaml',
      'imges: {}\ncontainers:\n  a: { image: x, prts: ["80:80"], resources: { memory: 3 } }\n',
    );
    const addresses = supervisor.drop(
      'addresses.yaml',
      `${BUSYBOX_IMAGE}networks: { fixed: { subnet: 10.231.101.0/24 } }
containers:
  first: { image: busybox, network: fixed, address: 10.231.101.5 }
  twice: { image: busybox, network: fixed, address: 10.231.101.5 }
  outside: { image: busybox, network: fixed, address: 10.231.103.5 }
  gateway: { image: busybox, network: fixed, address: 10.231.101.1 }
`,
    );
    expect(issuesOf(await manifest(syntax, 'Rejected'))).toEqual([
      expect.stringMatching(/^3:3 .*end with a }/),
      expect.stringMatching(/^4:1 .*end with a ]/),
    ]);
    expect(issuesOf(await manifest(fields, 'Rejected'))).toEqual([
      expect.stringMatching(/^1:1 unknown field "imges".*did you mean images\?/),
      expect.stringMatching(/^3:18 unknown field "prts".*did you mean ports\?/),
      expect.stringMatching(/^3:56 .*4MiB/),
    ]);
    expect(issuesOf(await manifest(addresses, 'Rejected'))).toEqual([
      expect.stringMatching(/^6:44 the address 10.231.101.5 is also claimed .*addresses.yaml:5:44/),
      expect.stringMatching(/^7:46 10.231.103.5 is not a host address/),
      expect.stringMatching(/^8:46 10.231.101.1 is the gateway/),
    ]);
    await keeperIsUntouched();
    for (const file of [syntax, fields, addresses]) rmSync(file);
  });

  test('is refused by apply and validate with file:line:column', async () => {
    const file = supervisor.file('refused.yaml', 'containers:\n  a: { image: x, imag: x }\n');
    for (const command of ['apply', 'validate', 'plan', 'diff']) {
      const { status, stdout, stderr } = await supervisor.cli(command, '-f', file);
      expect([command, status]).toEqual([command, 1]);
      expect([command, stdout + stderr]).toEqual([
        command,
        expect.stringContaining(`${file}:2:18: unknown field "imag"`),
      ]);
    }
    expect((await supervisor.containers()).map(({ name }) => name)).toEqual(['keeper']);
  });
});

/** Parked or tried again, not running, with a message. */
async function expectHeld(name: string, message: RegExp): Promise<void> {
  const held = await supervisor.waitFor(name, `held with ${message}`, (view) => message.test(view.message));
  expect(['Pending', 'BackingOff', 'Failed']).toContain(held.phase);
  expect(held).toMatchObject({ ready: false, pid: null });
}

describe('a manifest that this host cannot satisfy now', () => {
  test('parks a container without its image', async () => {
    const file = supervisor.drop(
      'image.yaml',
      `images: { late: { archive: ./late.tar } }\ncontainers:\n  eager: { image: late }\n`,
    );
    await expectHeld('eager', /image\.yaml:1:\d+: .*late\.tar/);
    await keeperIsUntouched();
    rmSync(file);
  });

  test('names missing programs, users and devices with step and line', async () => {
    const lines = [
      'missing: { image: busybox, command: [no-such-program] }',
      'text: { image: busybox, command: [/etc/passwd] }',
      'directory: { image: busybox, command: [/etc] }',
      `stranger: { image: busybox, command: ${FOREVER}, user: stranger }`,
      `elsewhere: { image: busybox, command: ${FOREVER}, workingDir: /etc/passwd }`,
      `device: { image: busybox, command: ${FOREVER}, devices: [/dev/no-such-device] }`,
      `cpus: { image: busybox, command: ${FOREVER}, resources: { cpuset: "1000" } }`,
      `mount: { image: busybox, command: ${FOREVER}, volumes: ["/etc/hostname:/etc"] }`,
    ];
    const file = supervisor.drop(
      'start.yaml',
      `${BUSYBOX_IMAGE}containers:\n${lines.map((line) => `  ${line}\n`).join('')}  fine: { image: busybox, command: ${FOREVER} }\n`,
    );
    await supervisor.waitFor('fine', 'ready', ({ ready }) => ready);
    await expectHeld('missing', /start\.yaml:4:3: "no-such-program" is not in the image in PATH .*execve/);
    await expectHeld('text', /start\.yaml:5:3: \/etc\/passwd is not an executable file .*execve/);
    await expectHeld('directory', /start\.yaml:6:3: \/etc is not an executable file .*execve/);
    await expectHeld('stranger', /start\.yaml:7:3: user "stranger" is not in \/etc\/passwd .*look up user/);
    await expectHeld('elsewhere', /start\.yaml:8:3: .*working directory \/etc\/passwd/);
    await expectHeld('device', /start\.yaml:9:3: device \/dev\/no-such-device does not exist/);
    await expectHeld('cpus', /start\.yaml:10:\d+: cpuset 1000: this host has no CPU 1000/);
    await expectHeld('mount', /start\.yaml:11:3: cannot mount a file at \/etc/);
    const hint = 'hint: +Check command and entrypoint against the image';
    expect(await supervisor.ok('describe', 'missing')).toMatch(new RegExp(`^${hint}`, 'm'));
    // Not at the moment of its next try.
    const held = new RegExp(`container/start/missing: .*\\n +${hint}`);
    await until('a plan that holds it', async () => held.test((await supervisor.cli('plan')).stdout));
    await keeperIsUntouched();
    rmSync(file);
    await until('only keeper left', async () => (await supervisor.containers()).length === 1);
  });

  test('parks the last container on a full network until an address is free', async () => {
    const pool = (names: readonly string[]) =>
      `${BUSYBOX_IMAGE}networks: { tiny: { subnet: 10.231.100.0/30 } }\ncontainers:\n${names
        .map((name) => `  ${name}: { image: busybox, command: ${FOREVER}, network: tiny }\n`)
        .join('')}`;
    supervisor.drop('pool.yaml', pool(['early']));
    const early = await supervisor.waitFor('early', 'ready', ({ ready }) => ready);
    const file = supervisor.drop('pool.yaml', pool(['early', 'late']));
    await expectHeld('late', /pool\.yaml:6:\d+: no available ip addresses on network pool\/tiny/);
    expect(await supervisor.container('early')).toMatchObject({ phase: 'Running', pid: early.pid });
    supervisor.drop('pool.yaml', pool(['late']));
    const late = await supervisor.waitFor('late', 'ready', ({ ready }) => ready);
    expect(late.address).toBe(early.address);
    rmSync(file);
  });

  test('does not use a subnet of the host', async () => {
    const own = `tsdt${process.pid % 10_000}own`;
    execFileSync('ip', ['link', 'add', own, 'type', 'bridge']);
    try {
      execFileSync('ip', ['addr', 'add', '10.231.7.1/24', 'dev', own]);
      execFileSync('ip', ['link', 'set', own, 'up']);
      const file = supervisor.drop(
        'overlap.yaml',
        `${BUSYBOX_IMAGE}networks: { taken: { subnet: 10.231.7.0/25 } }\ncontainers:\n  guest: { image: busybox, command: ${FOREVER}, network: taken }\n`,
      );
      await expectHeld('guest', /overlap\.yaml:3:\d+: subnet 10\.231\.7\.0\/25 overlaps 10\.231\.7\.0\/24/);
      await keeperIsUntouched();
      rmSync(file);
      await until('guest removed', async () => !(await supervisor.container('guest')));
    } finally {
      execFileSync('ip', ['link', 'delete', own]);
    }
  });
});

const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** A command that is expected to end by itself. */
function run(command: readonly string[]): Promise<CliResult> {
  const [program = '', ...args] = command;
  return new Promise((done) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (text) => {
      output.stdout += text;
    });
    child.stderr.on('data', (text) => {
      output.stderr += text;
    });
    child.once('close', (code) => done({ status: code ?? 255, ...output }));
  });
}

describe('a supervisor that cannot start', () => {
  const daemon = (flags: readonly string[]) => run([TSDOCKER, 'daemon', ...flags]);
  const other = (name: string) => join(supervisor.base, 'other', name);
  const flags = (options: { root?: string; runDir?: string; socket?: string } = {}) => [
    ...['--root', options.root ?? other('root'), '--run-dir', options.runDir ?? other('run')],
    ...['--manifests', other('manifests'), '-H', `unix://${options.socket ?? other('s')}`],
    ...['--default-bridge', `${supervisor.bridge}b`, '--bip', '10.231.99.1/24', '--pidfile', other('pid')],
  ];

  test('names the owner of a root, run directory or socket in use', async () => {
    const root = await daemon(flags({ root: supervisor.root }));
    expect(root).toMatchObject({ status: 1, stdout: '' });
    expect(root.stderr).toContain(`another supervisor (pid ${supervisor.pid}) owns ${supervisor.root}`);
    expect(root.stderr).toContain('--root and --run-dir');
    const runDir = await daemon(flags({ runDir: supervisor.runDir }));
    expect(runDir.stderr).toContain(`another supervisor (pid ${supervisor.pid}) owns ${supervisor.runDir}`);
    const socket = await daemon(flags({ socket: join(supervisor.runDir, 'tsdocker.sock') }));
    expect(socket.stderr).toContain('tsdocker.sock');
    expect(socket.status).toBe(1);
    await keeperIsUntouched();
    expect(existsSync(`/sys/class/net/${supervisor.bridge}b`)).toBe(false);
  });

  test('reports missing root rights', async () => {
    mkdirSync(join(supervisor.base, 'other'), { recursive: true });
    chmodSync(supervisor.base, 0o711);
    const result = await run([...AS_NOBODY, TSDOCKER, 'daemon', ...flags()]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/needs to be run as root, not as uid 65534/);
    expect(result.stderr).toContain('sudo');
  });

  test('reports a socket path that is too long and a bad flag', async () => {
    const long = await daemon(flags({ socket: other('x'.repeat(120)) }));
    expect(long.status).toBe(1);
    expect(long.stderr).toMatch(/path.*long/i);
    const option = await daemon([...flags(), '--storage-opt', 'dm.basesize=1']);
    expect(option.status).toBe(1);
    expect(option.stderr).toMatch(/Unknown option dm\.basesize: graph driver \w+ has no options/);
    const flag = await daemon([...flags(), '--mtu', 'wide']);
    expect(flag.status).toBe(1);
    expect(flag.stderr).toContain('--mtu');
  });

  test('makes clients say how to start one and who owns the socket', async () => {
    const nobody = await run([TSDOCKER, '-H', `unix://${other('none')}`, 'get', 'containers']);
    expect(nobody.status).toBe(1);
    expect(nobody.stderr).toContain('tsdocker daemon');
    chmodSync(supervisor.base, 0o711);
    const denied = await run([...AS_NOBODY, TSDOCKER, '-H', supervisor.socket, 'get', 'containers']);
    expect(denied.status).toBe(1);
    expect(denied.stderr).toMatch(/no permission to use .*\n.*sudo/);
  });
});

describe('directories and networks of the daemon', () => {
  /** Of a supervisor that refuses to start. */
  const daemon = (...flags: readonly string[]) =>
    new Promise<string>((done) => {
      execFile(
        TSDOCKER,
        ['daemon', '--root', 'root', '--run-dir', 'run', '--manifests', 'manifests', ...flags],
        { cwd: supervisor.base, timeout: 60_000 },
        (error, _, stderr) => done(error ? stderr : 'it started'),
      );
    });

  test('that cannot be used are named', async () => {
    const file = supervisor.file('file', '');
    expect(await daemon('--root', '/proc/nothing/here')).toContain('create /proc/nothing/here: ENOENT');
    expect(await daemon('--manifests', 'file')).toContain(`${file} is not a directory (--manifests)`);
    expect(await daemon('--run-dir', 'file')).toContain(`${file} is not a directory`);
    const outside = await daemon(...['--root', 'other', '--run-dir', 'other/run'], '--fixed-cidr', '198.51.100.0/24');
    expect(outside).toContain('network does not contain specified subnet: 198.51.100.0/24 is not within');
    expect(outside).toContain('hint: ');
  });

  test('a used bridge name leaves no subnet for the next start', async () => {
    const flags = ['--root', 'second', '--run-dir', 'second/run', '--default-bridge', 'lo', '-G', 'nosuchgroup'];
    expect(await daemon(...flags)).toContain('interface lo exists');
    const database = new Database(join(supervisor.base, 'second/history.db'), { readonly: true });
    expect(database.prepare('SELECT interface, ipv4 FROM networks').all()).toEqual([]);
    database.close();
  });
});

describe('damaged state', () => {
  test('is reported and kept, and affects nothing else', async () => {
    const file = supervisor.drop(
      'damaged.yaml',
      `${BUSYBOX_IMAGE}containers:\n  other: { image: busybox, command: ${FOREVER} }\n`,
    );
    const { id } = await supervisor.waitFor('other', 'ready', ({ ready }) => ready);
    rmSync(file);
    await until('other removed', async () => !(await supervisor.container('other')));
    await supervisor.stop();
    const alien = join(supervisor.root, 'containers', id);
    mkdirSync(alien);
    writeFileSync(join(alien, 'config.json'), '{"State":{"Running":tr');
    const image = join(supervisor.root, 'graph', 'ab'.repeat(32));
    mkdirSync(image);
    writeFileSync(join(image, 'json'), 'garbage');
    await supervisor.start();
    await keeperIsUntouched();
    expect(supervisor.log).toContain(`"path":"${alien}"`);
    expect(supervisor.log).toContain('TSD_STATE_CORRUPT');
    expect(readFileSync(join(alien, 'config.json'), 'utf8')).toBe('{"State":{"Running":tr');
    expect(readFileSync(join(image, 'json'), 'utf8')).toBe('garbage');
    for (const path of [alien, image]) rmSync(path, { recursive: true });
  });

  test('of a running container neither stops it nor starts it twice, and repairing the file is enough', async () => {
    const file = supervisor.drop(
      'torn.yaml',
      `${BUSYBOX_IMAGE}containers:\n  torn: { image: busybox, command: ${FOREVER}, restart: always }\n`,
    );
    const { id, pid } = await supervisor.waitFor('torn', 'ready', ({ ready }) => ready);
    const config = join(supervisor.root, 'containers', id, 'config.json');
    await supervisor.crash();
    const whole = readFileSync(config);
    writeFileSync(config, whole.subarray(0, whole.length / 2));
    await supervisor.start();
    await expectHeld('torn', new RegExp(`config.json: is not complete JSON.*; ${id.slice(0, 12)} is left as it is`));
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    // Those that look at a file or run a probe go by themselves.
    await until('the shims of both alone', () => supervisor.hostState().processes.length === 2);
    await supervisor.crash();
    writeFileSync(config, whole);
    await supervisor.start();
    expect(await supervisor.waitFor('torn', 'taken over', ({ ready }) => ready)).toMatchObject({
      id,
      pid,
      restarts: 0,
    });
    rmSync(file);
    await until('torn removed', async () => !(await supervisor.container('torn')));
  });

  test('of a running container is kept, and an approval allows a replacement', async () => {
    const port = await freePort();
    const file = supervisor.drop(
      'worn.yaml',
      `${BUSYBOX_IMAGE}containers:\n  worn: { image: busybox, command: ${FOREVER}, ports: ["127.0.0.1:${port}:80"] }\n`,
    );
    const { id, pid } = await supervisor.waitFor('worn', 'ready', ({ ready }) => ready);
    const directory = join(supervisor.root, 'containers', id);
    await supervisor.crash();
    writeFileSync(join(directory, 'config.json'), '');
    await supervisor.start();
    await expectHeld('worn', /is left as it is/);
    // Nothing of it is approved without its name.
    await supervisor.ok('approve', '--yes');
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await supervisor.ok('approve', 'container/worn/worn');
    const next = await supervisor.waitFor('worn', 'made once more', ({ ready }) => ready);
    expect(next.id).not.toBe(id);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(readFileSync(join(supervisor.root, 'damaged-containers', id, 'config.json'), 'utf8')).toBe('');
    rmSync(file);
    await until('worn removed', async () => !(await supervisor.container('worn')));
  });
});
