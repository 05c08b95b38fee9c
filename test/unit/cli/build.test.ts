import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { useTerminal } from '../../support/api/terminal.ts';
import { temporaryDirectory } from '../../support/images.ts';

const { served, run, screen } = useTerminal();
const asked = () => served().supervisor.builds.asked;
let area: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  area = temporaryDirectory();
  mkdirSync(join(area.path, 'ctx'));
  writeFileSync(join(area.path, 'ctx/App.dockerfile'), 'FROM scratch\n');
  writeFileSync(join(area.path, 'Other.dockerfile'), 'FROM scratch\n');
});
afterEach(() => area.remove());

describe('build', () => {
  test('flags become a request with absolute paths', async () => {
    const flags = [
      '-t',
      'a:1',
      '-t',
      'b',
      '-f',
      'ctx/App.dockerfile',
      '--target',
      'x',
      '--build-arg',
      'A=1=2',
      '--label',
      'l=1',
    ];
    const more = ['--build-context', 'c=other', '--build-context', 'd=docker-image://d:1', '--secret', 'id=k,src=key'];
    const rest = ['--platform', 'linux/arm64', '--network', 'none', '--no-cache', 'ctx'];
    expect((await run(['build', ...flags, ...more, ...rest], { cwd: area.path })).exitCode).toBe(0);
    expect(asked()).toEqual([
      {
        context: { type: 'directory', path: join(area.path, 'ctx') },
        dockerfile: 'App.dockerfile',
        dockerfileText: null,
        contexts: { c: join(area.path, 'other'), d: 'docker-image://d:1' },
        tags: ['a:1', 'b'],
        args: { A: '1=2' },
        labels: { l: '1' },
        target: 'x',
        platform: 'linux/arm64',
        network: 'none',
        noCache: true,
        secrets: { k: join(area.path, 'key') },
      },
    ]);
  });

  test('a Dockerfile outside of the context is named by its path', async () => {
    await run(['build', '-f', 'Other.dockerfile', 'ctx'], { cwd: area.path });
    expect(asked().at(-1)?.dockerfile).toBe(join(area.path, 'Other.dockerfile'));
  });

  test('steps, output and the result are printed', async () => {
    expect(await screen(['build', join(area.path, 'ctx')])).toBe(
      `[app 1/1] RUN make\n[app 1/1] one\n[app 1/1] two\nbuilt sha256:${'ab'.repeat(32)} as app:1\n--- exit 0`,
    );
    expect(await screen(['build', '-q', join(area.path, 'ctx')])).toBe(`sha256:${'ab'.repeat(32)}\n--- exit 0`);
    const { stdout } = await run(['build', '-o', 'json', join(area.path, 'ctx')]);
    const types = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types).toEqual(['step', 'output', 'built', 'ready']);
  });

  test('downloads are printed and layers are not, whatever their messages', async () => {
    const report = { type: 'progress', resource: 'app:1', current: 1, total: 1 } as const;
    served().supervisor.builds.events = [
      { ...report, message: 'downloading is over', part: { step: 'layer', item: 'a', state: 'done' } },
      { ...report, message: 'example.org/file', part: { step: 'download', item: 'b' } },
      { type: 'ready', generation: 0 },
    ];
    expect(await screen(['build', join(area.path, 'ctx')])).toBe('app:1: example.org/file\n--- exit 0');
  });

  test('a failure is shown with all its lines, without cursor control', async () => {
    const message = 'Dockerfile:2:1: RUN ended with exit code 1\n    2 | RUN false\u001b[2J\nlast';
    const error = { code: 'TSD_BUILD_RUN', class: 'unavailable', message, hint: 'Mend it.' } as const;
    served().supervisor.builds.events = [{ type: 'failed', error }];
    const { exitCode, stderr } = await run(['build', join(area.path, 'ctx')]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      'error: Dockerfile:2:1: RUN ended with exit code 1 [TSD_BUILD_RUN]\n    2 | RUN false\nlast\nhint: Mend it.\n',
    );
  });

  test.each([
    [['build', '/no/such/place'], '/no/such/place: no such directory'],
    [['build', '-f', '-', '-'], 'cannot be both'],
    [['build', '--build-arg', '=x', '/'], '--build-arg =x is not NAME=VALUE'],
    [['build', '--secret', 'key', '/'], 'is not NAME=VALUE'],
  ])('%j is refused', async (argv, words) => {
    const { exitCode, stderr } = await run(argv);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(words)]);
    expect(asked()).toEqual([]);
  });
});
