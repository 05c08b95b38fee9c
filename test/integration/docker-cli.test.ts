/** The commands that are Docker's, from our own command line. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
function command(args: readonly string[], { cwd = '/', input = '' } = {}): Promise<{ status: number; stdout: string }> {
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
