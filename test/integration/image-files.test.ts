import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ImageView } from '../../src/api/supervisor.ts';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

const images = async (): Promise<readonly ImageView[]> => JSON.parse(await supervisor.ok('images', '-o', 'json'));
const tagged = async (tag: string): Promise<ImageView> => {
  const found = (await images()).find(({ tags }) => tags.includes(tag));
  if (!found) throw new Error(`no image ${tag}`);
  return found;
};
const recipes = (): string[] => readdirSync(join(supervisor.root, 'recipes'));
const file = (name: string): string => join(supervisor.base, name);

async function runWeb(): Promise<void> {
  const script = shell(
    `mkdir -p /opt/made; echo mine > /opt/made/file; rm -r /home; echo x > /data/file; touch /ready; ${IDLE}`,
  );
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}volumes: { data: {} }\ncontainers:\n  web: { image: busybox, command: ${script}, volumes: ["data:/data"] }\n`,
  );
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await expect.poll(() => supervisor.ok('changes', 'web'), { timeout: 10_000 }).toContain('A /ready');
}

describe('a container', () => {
  test('its changes are listed, committed, and run as an image', async () => {
    await runWeb();
    const changes = (await supervisor.ok('changes', 'web')).trim().split('\n');
    expect(changes).toEqual(expect.arrayContaining(['A /opt/made/file', 'A /ready']));
    expect(changes.filter((line) => /data|proc|resolv/.test(line))).toEqual([]);
    expect((await supervisor.container('web'))?.phase).toBe('Running');
    await supervisor.ok(
      'commit',
      '-m',
      'by hand',
      '-c',
      'CMD ["/usr/bin/busybox", "cat", "/opt/made/file"]',
      'web',
      'web:made',
    );
    await supervisor.ok('save', '-o', file('made.tar'), 'web:made');
    supervisor.drop(
      'made.yaml',
      `images: { made: { archive: ${file('made.tar')} } }\ncontainers:\n  made: { image: made, restart: "no" }\n`,
    );
    await supervisor.waitFor('made', 'ended', ({ exitCode }) => exitCode === 0);
    expect(await supervisor.ok('logs', 'made')).toBe('mine\n');
  });

  test('its files are exported and imported', async () => {
    await runWeb();
    await supervisor.ok('export', 'web', '-o', file('web.tar'));
    const names = execFileSync('tar', ['-tf', file('web.tar')], { encoding: 'utf8' }).split('\n');
    expect(names).toEqual(expect.arrayContaining(['./', 'bin', 'opt/made/file', 'data/']));
    expect(names.filter((name) => name.startsWith('data/') && name !== 'data/')).toEqual([]);
    await supervisor.ok('import', file('web.tar'), 'flat:1', '-c', 'ENV A=1');
    await expect(supervisor.cli('import', file('web.tar'), 'Bad Name')).resolves.toMatchObject({ status: 1 });
    expect((await tagged('flat:1')).size).toBeGreaterThan(100_000);
  });
});

describe('archives', () => {
  test.each(['docker', 'oci'])('a saved %s archive brings the same images to another supervisor', async (format) => {
    await runWeb();
    const busybox = await tagged('app/busybox:latest');
    await supervisor.ok('commit', 'web', 'web:made');
    const made = await tagged('web:made');
    await supervisor.ok('save', '--format', format, '-o', file('all.tar'), 'app/busybox', 'web:made');
    const other = await new TestSupervisor().start();
    try {
      await other.ok('load', '-i', file('all.tar'));
      const there: readonly ImageView[] = JSON.parse(await other.ok('images', '-o', 'json'));
      expect(there.map(({ id, tags }) => [id, ...tags]).sort()).toEqual(
        [
          [busybox.id, 'app/busybox:latest'],
          [made.id, 'web:made'],
        ].sort(),
      );
    } finally {
      await other.destroy();
    }
  });

  test.skipIf(spawnSync('skopeo', ['--version']).error !== undefined)(
    'skopeo reads what was saved (needs skopeo)',
    async () => {
      await runWeb();
      await supervisor.ok('commit', 'web', 'web:made');
      await supervisor.ok('save', '-o', file('docker.tar'), 'web:made');
      const source = `docker-archive:${file('docker.tar')}:web:made`;
      execFileSync('skopeo', ['--insecure-policy', 'copy', source, `oci:${file('oci')}:made`], { stdio: 'pipe' });
      expect(existsSync(file('oci/index.json'))).toBe(true);
    },
  );
});

describe('the disk', () => {
  test('prune takes what nobody needs and nothing else', async () => {
    await runWeb();
    await supervisor.ok('commit', 'web', 'web:made');
    await supervisor.ok('commit', 'web');
    expect(await images()).toHaveLength(3);
    const before = recipes().length;
    expect(await supervisor.ok('system', 'prune', '--dry-run')).toMatch(/Would free .*1 image/);
    expect(await images()).toHaveLength(3);
    await supervisor.ok('system', 'prune', '-y');
    expect((await images()).flatMap(({ tags }) => tags).sort()).toEqual(['app/busybox:latest', 'web:made']);
    await supervisor.ok('system', 'prune', '-a', '-y');
    expect((await images()).flatMap(({ tags }) => tags)).toEqual(['app/busybox:latest']);
    expect(recipes().length).toBeLessThan(before);
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Running', restarts: 0 });
    const usage = JSON.parse(await supervisor.ok('system', 'df', '-o', 'json'));
    expect(usage.rows.map(({ type, count }: { type: string; count: number }) => [type, count])).toEqual([
      ['images', 1],
      ['containers', 1],
      ['volumes', 1],
      ['logs', 1],
      ['build cache', 0],
    ]);
    expect(await supervisor.ok('images', '--tree')).toContain('app/busybox:latest');
  });
});
