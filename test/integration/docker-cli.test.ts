/** The commands that are Docker's, from our own command line. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  const text = `app: app\nimages: { busybox: { host: [busybox, sh] } }\ncontainers:\n  kept: { image: busybox, command: [busybox, sleep, "100000"] }\n`;
  writeFileSync(join(supervisor.base, 'app.yaml'), text);
  await supervisor.ok('apply', '--wait=60s', '-f', join(supervisor.base, 'app.yaml'));
  await supervisor.ok('tag', (await supervisor.waitFor('kept', 'ready', ({ ready }) => ready)).imageId ?? '', 'bb:1');
});

afterAll(async () => {
  await supervisor.destroy();
});

/** A command with standard input, or in a directory. */
function command(
  args: readonly string[],
  { cwd = '/', input = '' }: { cwd?: string; input?: string | Buffer } = {},
): Promise<{ status: number; stdout: string }> {
  const env = { ...process.env, TSDOCKER_HOST: supervisor.socket };
  return new Promise((resolve) => {
    const child = execFile(supervisor.program, args, { cwd, env }, (error, stdout) =>
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), stdout }),
    );
    child.stdin?.end(input);
  });
}

test('run gives output, input and exit code, and leaves nothing behind with --rm', async () => {
  expect(await supervisor.ok('run', '--rm', 'bb:1', 'busybox', 'echo', 'hello')).toBe('hello\n');
  const cat = await command(['run', '--rm', '-i', 'bb:1', 'busybox', 'cat'], { input: 'typed\n' });
  expect(cat).toEqual({ status: 0, stdout: 'typed\n' });
  expect(await supervisor.cli('run', '--rm', 'bb:1', 'busybox', 'sh', '-c', 'exit 9')).toMatchObject({ status: 9 });
  const missing = await supervisor.cli('run', '--rm', 'bb:1', '/nowhere');
  expect(missing).toMatchObject({ status: 127, stdout: '' });
  expect(missing.stderr).toMatch(/^error: .*no such file or directory/);
  expect((await supervisor.ok('ps', '-aq')).trim().split('\n')).toHaveLength(1);
});

test('run of a program that is not there ends, and what it made stays', async () => {
  expect(await supervisor.cli('run', '--name', 'absent', 'bb:1', '/nowhere')).toMatchObject({
    status: 127,
    stdout: '',
  });
  expect(await supervisor.ok('ps', '-a', '--filter', 'name=absent')).toContain('Created');
  await supervisor.ok('rm', 'absent');
});

test('a container in the background is seen, looked into, renamed and removed', async () => {
  const id = (
    await supervisor.ok(
      'run',
      '-d',
      '--name',
      'back',
      '-p',
      '127.0.0.1::80',
      '-l',
      'tier=x',
      'bb:1',
      'busybox',
      'sleep',
      '1000',
    )
  ).trim();
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(await supervisor.ok('ps', '-q', '--filter', 'label=tier=x')).toBe(`${id.slice(0, 12)}\n`);
  expect(await supervisor.ok('ps', '-o', 'name')).toBe('back\napp-kept\n');
  expect(await supervisor.ok('top', 'back')).toContain('busybox sleep 1000');
  expect(await supervisor.ok('stats', 'back')).toMatch(/^NAME +CPU[\s\S]*\nback +\d/);
  expect(await supervisor.ok('port', 'back', '80')).toMatch(/^127\.0\.0\.1:\d+\n$/);
  await supervisor.ok('pause', 'back');
  expect(await supervisor.ok('ps', '--filter', 'name=back')).toContain('(Paused)');
  await supervisor.ok('unpause', 'back');
  await supervisor.ok('rename', 'back', 'front');
  expect(JSON.parse(await supervisor.ok('inspect', 'front'))).toMatchObject([{ Id: id, Name: '/front' }]);
  expect(await supervisor.cli('rm', 'front')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('container is running'),
  });
  expect(await supervisor.ok('rm', '-f', 'front')).toBe('front\n');
  expect(await supervisor.cli('inspect', 'front')).toMatchObject({ status: 1, stdout: '[]\n' });
});

test('networks and volumes are made, used and removed', async () => {
  expect(await supervisor.ok('network', 'create', 'lan')).toMatch(/^[0-9a-f]{64}\n$/);
  expect(await supervisor.ok('volume', 'create', 'data')).toBe('data\n');
  await supervisor.ok(
    'run',
    '--rm',
    '--network',
    'lan',
    '-v',
    'data:/d',
    'bb:1',
    'busybox',
    'sh',
    '-c',
    'echo kept >/d/file',
  );
  expect(await supervisor.ok('run', '--rm', '-v', 'data:/d:ro', 'bb:1', 'busybox', 'cat', '/d/file')).toBe('kept\n');
  expect(await supervisor.ok('network', 'ls')).toMatch(/ lan +bridge +local/);
  expect(JSON.parse(await supervisor.ok('network', 'ls', '-o', 'json'))).toHaveLength(4);
  expect(await supervisor.ok('volume', 'ls', '-q')).toBe('data\n');
  expect(await supervisor.ok('network', 'rm', 'lan')).toBe('lan\n');
  expect(await supervisor.ok('volume', 'rm', 'data')).toBe('data\n');
});

test('what a manifest declares is changed in the manifest', async () => {
  const { status, stderr } = await supervisor.cli('rm', '-f', 'app-kept');
  expect([status, stderr]).toEqual([1, expect.stringContaining('app.yaml:')]);
  expect(await supervisor.container('kept')).toMatchObject({ phase: 'Running' });
});

test('up and down are about the file of the working directory', async () => {
  const cwd = mkdtempSync('/tmp/tsd-up-');
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  writeFileSync(
    join(cwd, 'compose.yaml'),
    'name: shop\nservices: { a: { image: "bb:1", command: busybox sleep 1000, stop_signal: SIGKILL } }\n',
  );
  expect(await command(['up'], { cwd })).toMatchObject({ status: 0 });
  expect(await supervisor.ok('ps', '-o', 'name', '--filter', 'name=shop')).toBe('shop-a\n');
  expect(await command(['down'], { cwd })).toMatchObject({ status: 0 });
  expect(await supervisor.ok('ps', '-aq', '--filter', 'name=shop')).toBe('');
});

test('the image of a container is shown as it was asked for', async () => {
  await supervisor.ok('create', '--name', 'named', 'bb:1', 'busybox', 'true');
  expect((await supervisor.containers()).find(({ engineName }) => engineName === 'named')).toMatchObject({
    image: 'bb:1',
    imageId: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(await supervisor.ok('ps', '-a', '--filter', 'name=named')).toMatch(/ bb:1 /);
  await supervisor.ok('rm', 'named');
});

test('limits and restart policy of a container are changed while it runs', async () => {
  const id = (await supervisor.ok('run', '-d', '--name', 'limited', 'bb:1', 'busybox', 'sleep', '1000')).trim();
  const change = [
    '--memory',
    '64m',
    '--memory-swap',
    '-1',
    '--cpus',
    '0.5',
    '--pids-limit',
    '50',
    '--restart',
    'always',
  ];
  expect(await supervisor.ok('update', ...change, 'limited')).toBe('limited\n');
  const [seen] = JSON.parse(await supervisor.ok('inspect', 'limited')) as [{ HostConfig: object; State: object }];
  expect(seen.HostConfig).toMatchObject({
    Memory: 64 * 1024 * 1024,
    MemorySwap: -1,
    NanoCpus: 500_000_000,
    PidsLimit: 50,
    RestartPolicy: { Name: 'always' },
  });
  expect(seen.State).toMatchObject({ Running: true });
  const groups = execFileSync('find', ['/sys/fs/cgroup', '-path', `*${id}*`, '-name', 'pids.max'], {
    encoding: 'utf8',
  });
  const [file = ''] = groups.split('\n');
  expect(readFileSync(file, 'utf8')).toBe('50\n');
  expect(await supervisor.cli('update', 'limited')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('nothing is to be changed'),
  });
  expect(await supervisor.cli('update', '--pids-limit', '9', 'limited', 'nowhere')).toMatchObject({
    status: 1,
    stdout: 'limited\n',
    stderr: expect.stringContaining('No such container: nowhere'),
  });
  await supervisor.ok('rm', '-f', 'limited');
});

test('files are copied between host and container, under the names that cp gives them', async () => {
  const cwd = mkdtempSync('/tmp/tsd-cp-');
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  await supervisor.ok('create', '--name', 'files', '-v', '/data', 'bb:1', 'busybox', 'true');
  const cp = (...args: string[]) => command(['cp', '-q', ...args], { cwd });
  const done = { status: 0, stdout: '' };
  mkdirSync(join(cwd, 'tree/sub'), { recursive: true });
  writeFileSync(join(cwd, 'tree/sub/leaf'), 'deep\n', { mode: 0o640 });
  symlinkSync('sub/leaf', join(cwd, 'tree/link'));
  writeFileSync(join(cwd, 'file'), 'a file\n');
  const read = (name: string) => readFileSync(join(cwd, name), 'utf8');
  // Into it: a new name, a directory that is there, the contents of a directory, a volume.
  expect(await cp('file', 'files:/renamed')).toEqual(done);
  expect(await cp('tree', 'files:/data')).toEqual(done);
  expect(await cp('tree/.', 'files:/made')).toEqual(done);
  // Out of it.
  expect(await cp('files:/renamed', '.')).toEqual(done);
  expect(await cp('files:/data/tree', 'copy')).toEqual(done);
  expect(await cp('files:/made/.', 'whole')).toEqual(done);
  expect(await cp('-L', 'files:/data/tree/link', 'behind')).toEqual(done);
  expect([read('renamed'), read('copy/sub/leaf'), read('whole/sub/leaf'), read('behind')]).toEqual([
    'a file\n',
    'deep\n',
    'deep\n',
    'deep\n',
  ]);
  expect([readlinkSync(join(cwd, 'copy/link')), statSync(join(cwd, 'copy/sub/leaf')).mode & 0o777]).toEqual([
    'sub/leaf',
    0o640,
  ]);
  // As tars on both sides.
  const tar = spawnSync('tar', ['-C', cwd, '-c', 'file'], { maxBuffer: 2 ** 24 }).stdout;
  expect(await command(['cp', '-', 'files:/data'], { cwd, input: tar })).toEqual(done);
  expect((await cp('files:/data/file', '-')).stdout).toContain('a file\n');
  for (const [from = '', to = '', why = ''] of [
    ['files:/nowhere', '.', 'Could not find the file /nowhere'],
    ['nowhere', 'files:/', 'no such file or directory'],
    ['file', 'files:/nowhere/x', 'Could not find the file /nowhere'],
    ['file', 'gone:/x', 'No such container: gone'],
    ['tree', 'files:/renamed', 'cannot copy a directory over the file'],
    ['file', 'files:/new/', 'there is no directory /new'],
    ['files:/a', 'files:/b', 'between containers'],
    ['a', 'b', 'neither source nor target'],
  ]) {
    const said = await supervisor.cli('cp', from === 'file' || from === 'tree' ? join(cwd, from) : from, to);
    expect([said.status, said.stderr], from).toEqual([1, expect.stringContaining(why)]);
  }
  await supervisor.ok('rm', '-v', 'files');
});
