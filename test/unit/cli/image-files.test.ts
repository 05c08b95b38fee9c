import { describe, expect, test } from 'vitest';
import { useTerminal } from '../../support/api/terminal.ts';

const { served, run, screen } = useTerminal();
const asked = () => served().supervisor.imageFiles.asked;

describe('images as files', () => {
  test('paths become absolute, because the supervisor opens the files', async () => {
    expect((await run(['save', '-o', 'a.tar', '--format', 'oci', 'app:1', 'db'], { cwd: '/home/me' })).exitCode).toBe(
      0,
    );
    expect(
      (await run(['import', 'root.tar', 'x:1', '-c', 'ENV A=1', '-c', 'USER me'], { cwd: '/home/me' })).exitCode,
    ).toBe(0);
    expect((await run(['export', 'web', '-o', '../web.tar'], { cwd: '/home/me' })).exitCode).toBe(0);
    expect((await run(['commit', '-m', 'why', 'blog/web', 'web:2'])).exitCode).toBe(0);
    expect(asked()).toEqual([
      { save: { images: ['app:1', 'db'], path: '/home/me/a.tar', format: 'oci' } },
      { import: { path: '/home/me/root.tar', name: 'x:1', changes: ['ENV A=1', 'USER me'], message: '' } },
      { export: { container: 'web', path: '/home/web.tar' } },
      { commit: { container: 'blog/web', request: { name: 'web:2', changes: [], message: 'why', author: '' } } },
    ]);
  });

  test('a job on images prints no generation', async () => {
    const jobs = [
      ['save', '-o', 'a.tar', 'db'],
      ['import', 'root.tar', 'x:1'],
      ['load', '-i', 'a.tar'],
      ['commit', 'blog/web', 'web:2'],
    ];
    for (const job of jobs) {
      const { stdout, exitCode } = await run(job, { cwd: '/home/me' });
      expect({ job, exitCode, names: /generation/.test(stdout) }).toEqual({ job, exitCode: 0, names: false });
    }
  });

  test('changes', async () => {
    expect(await screen(['changes', 'web'])).toMatchInlineSnapshot(`
      "C /etc
      A /etc/new
      D /old
      --- exit 0"
    `);
    expect(JSON.parse((await run(['changes', 'web', '-o', 'json'])).stdout)).toHaveLength(3);
  });

  test('images --tree', async () => {
    expect(await screen(['images', '--tree'])).toMatchInlineSnapshot(`
      "└─f6f6f6f6f6f6 47.7MiB
        ├─e5e5e5e5e5e5 977KiB
        │ └─image b2b2b2b2b2b2 nginx:1.27
        └─image b2b2b2b2b2b2 <no name>
      --- exit 0"
    `);
  });
});

describe('system', () => {
  test('df', async () => {
    expect(await screen(['system', 'df'])).toMatchInlineSnapshot(`
      "TYPE     COUNT  ACTIVE  SIZE     RECLAIMABLE
      images   3      1       85.8MiB  28.6MiB
      volumes  1      1       4KiB     -

      37.3GiB of 93.1GiB are free.
      --- exit 0"
    `);
  });

  test('prune lists and removes', async () => {
    expect(await screen(['system', 'prune', '--dry-run'])).toMatchInlineSnapshot(`
      "image b2b2b2b2b2b2
      layer e5e5e5e5e5e5 977KiB
      Would free 977KiB: 1 image, 1 layer.
      --- exit 0"
    `);
    expect(asked()).toEqual([{ prune: { all: false, volumes: false, dryRun: true, listed: null } }]);
    expect((await run(['system', 'prune', '-a', '-y'])).stdout).toContain('Freed');
    expect(asked().at(-1)).toEqual({ prune: { all: true, volumes: false, dryRun: false, listed: null } });
    await run(['system', 'prune', '--volumes', '-y']);
    expect(asked().at(-1)).toEqual({ prune: { all: false, volumes: true, dryRun: false, listed: null } });
  });

  test('prune removes nothing without a confirmation', async () => {
    const { exitCode, stderr } = await run(['system', 'prune']);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('Add -y')]);
    expect((await run(['system', 'prune', '-o', 'json'])).exitCode).toBe(1);
    expect(asked()).toEqual([{ prune: { all: false, volumes: false, dryRun: true, listed: null } }]);
  });
});
