import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import type { TransferEvent } from '../../src/api/images/transfer-event.ts';
import type { ImageView } from '../../src/api/views/resource-views.ts';
import { armed } from '../support/armed.ts';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

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
  await expect.poll(() => supervisor.ok('changes', 'web')).toContain('A /ready');
}

describe('a container', () => {
  test('has its changes listed, committed, and run as an image', async () => {
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

  test('has its files exported and imported', async () => {
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

describe('a container that changes during a read of its files', () => {
  const LARGE = 'bs=1M count=400';
  const layers = (): string[] => readdirSync(join(supervisor.root, 'overlay'));
  const client = () => new SupervisorClient(supervisor.socket);

  /** It writes once more when it is asked to end. */
  async function runLarge(): Promise<void> {
    const script = `trap "echo torn > /torn; exit 0" TERM; dd if=/dev/zero of=/large ${LARGE}; touch /ready; while :; do sleep 0.1; done`;
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${shell(script)}, restart: always }\n`,
    );
    await expect.poll(async () => (await supervisor.cli('changes', 'web')).stdout).toContain('A /ready');
  }

  /** How a stream ended; `meanwhile` runs at its first event. */
  async function outcome(events: AsyncIterable<TransferEvent>, meanwhile: () => Promise<unknown>): Promise<string> {
    const disturbed: Promise<unknown>[] = [];
    let last = '';
    for await (const event of events) {
      if (disturbed.length === 0) disturbed.push(meanwhile());
      last = event.type === 'failed' ? event.error.message : event.type;
    }
    await Promise.all(disturbed);
    return last;
  }

  test('takes a stop, which ends an export with an error', async () => {
    await runLarge();
    supervisor.file('web.tar', 'what was there');
    const stop = () => client().stop('web', null, null);
    const exported = await outcome(client().imageFiles.export('web', file('web.tar')), stop);
    expect(exported).toContain('the files of container app-web cannot be read while it is being stopped');
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited', exitCode: 0 });
    expect(readFileSync(file('web.tar'), 'utf8')).toBe('what was there');
    expect(readdirSync(supervisor.base).filter((name) => name.includes('.part'))).toEqual([]);

    const started = await outcome(client().imageFiles.export('web', file('web.tar')), () => client().start('web'));
    expect(started).toContain('the files of container app-web cannot be read while it is being started');
    await supervisor.ok('stop', 'web');
    await supervisor.ok('export', 'web', '-o', file('web.tar'));
    expect(execFileSync('tar', ['-tf', file('web.tar')], { encoding: 'utf8' })).toContain('torn');
  });

  test('takes a stop, and a commit leaves nothing', async () => {
    await runLarge();
    const before = layers();
    // Its first event comes when the layer is unpacked, after the digest of the whole.
    const stop = () => client().stop('web', null, null);
    const request = { name: 'web:made', changes: [], message: '', author: '' };
    expect(await outcome(client().imageFiles.commit('web', request), stop)).toContain('being stopped');
    expect((await images()).flatMap(({ tags }) => tags)).toEqual(['app/busybox:latest']);
    expect(layers().sort()).toEqual(before.sort());
  });

  test('keeps the grace period of a stop in progress', async () => {
    const slow = shell('trap "echo ending; sleep 2; exit 0" TERM; while :; do sleep 0.1; done');
    supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${slow} }\n`);
    await armed((await supervisor.waitFor('web', 'ready', ({ ready }) => ready)).pid);
    const stopped = supervisor.ok('stop', 'web');
    await until('the stop', async () => (await supervisor.ok('logs', 'web')).includes('ending'));
    const refused = await supervisor.cli('changes', 'web');
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('being stopped') });
    await stopped;
    await supervisor.ok('changes', 'web');
  });
});

test('is not read while its start copies files into a volume', async () => {
  const root = file('root');
  mkdirSync(join(root, 'bin'), { recursive: true });
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  mkdirSync(join(root, 'many'));
  for (let n = 0; n < 1_000; n++) writeFileSync(join(root, 'many', `${n}`), '');
  supervisor.drop(
    'app.yaml',
    `images: { many: { rootfs: ${root} } }\ncontainers:\n  web: { image: many, command: [/bin/busybox, sleep, "3600"], volumes: ["/many"], stopTimeout: 100ms }\n`,
  );
  const client = new SupervisorClient(supervisor.socket);
  const refusals = new Set<string>();
  const changes = () => client.imageFiles.changes('web').catch((error: Error) => void refusals.add(error.message));
  const asked: Promise<unknown>[] = [];
  const started = supervisor.waitFor('web', 'running', ({ pid }) => pid !== null);
  await until(
    'the refusal',
    () => {
      // Those of before it is made wait, and hold no later one back.
      asked.push(changes());
      return [...refusals].some((message) => message.includes('being started'));
    },
    undefined,
    5,
  );
  await started;
  await Promise.all(asked);
  expect(await changes()).toEqual([]);
});

test('is not read during its removal', async () => {
  await runWeb();
  await supervisor.ok('exec', 'web', 'busybox', 'dd', 'if=/dev/zero', 'of=/large', 'bs=1M', 'count=400');
  await supervisor.ok('stop', 'web');
  const reading = supervisor.cli('export', 'web', '-o', file('web.tar'));
  await until('the export', () => readdirSync(supervisor.base).some((name) => name.includes('.part')));
  supervisor.drop('app.yaml', BUSYBOX_IMAGE);
  expect(await reading).toMatchObject({ status: 1, stderr: expect.stringContaining('being removed') });
  expect(existsSync(file('web.tar'))).toBe(false);
});

describe('archives', () => {
  test.each(['docker', 'oci'])('a saved %s archive gives another supervisor the same images', async (format) => {
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
    'skopeo reads a saved archive (needs skopeo)',
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

describe('a missing file or image', () => {
  test('is named with the next command to type, and nothing is written', async () => {
    const absent = file('absent.tar');
    const out = join(supervisor.base, 'absent', 'out.tar');
    await runWeb();
    for (const [args, message, hint] of [
      [['load', '-i', absent], `cannot read ${absent}: ENOENT`, 'Create the file or directory. A declared image'],
      [['import', absent, 'base:1'], `cannot read ${absent}: ENOENT`, 'Create the file or directory. A declared image'],
      [['import', supervisor.base, 'base:1'], `${supervisor.base} is a directory`, `tar -C ${supervisor.base} -cf`],
      [['save', '-o', out, 'app/busybox'], `${join(out, '..')}: no such directory`, `mkdir -p ${join(out, '..')}`],
      [['export', '-o', out, 'web'], `${join(out, '..')}: no such directory`, `mkdir -p ${join(out, '..')}`],
      // What every object inherits is no name of an image.
      ...['absent:1', 'constructor'].map((name) => [
        ['save', '-o', file('out.tar'), name],
        `there is no image ${name}`,
        '`tsdocker images` lists',
      ]),
    ] as const) {
      const { status, stderr } = await supervisor.cli(...(args as string[]));
      expect([args, status]).toEqual([args, 1]);
      expect(stderr).toContain(message);
      expect(stderr).toContain(hint);
    }
    expect(existsSync(file('out.tar'))).toBe(false);
  });
});

describe('an OCI layout directory', () => {
  const tool = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' });
  const skopeo = (...args: string[]) => tool('skopeo', '--insecure-policy', ...args);

  test('that we save is read by skopeo and umoci', async () => {
    await runWeb();
    await supervisor.ok('commit', 'web', 'web:made');
    const made = await tagged('web:made');
    await supervisor.ok('save', '--format', 'oci-layout', '-o', `${file('layout')}/`, 'app/busybox', 'web:made');
    const inspected = JSON.parse(skopeo('inspect', '--raw', `oci:${file('layout')}:web:made`));
    expect(inspected.config.digest).toBe(`sha256:${made.id}`);
    skopeo('copy', `oci:${file('layout')}:app/busybox:latest`, `docker-archive:${file('busybox.tar')}:b:1`);
    tool('umoci', 'unpack', '--image', `${file('layout')}:web:made`, file('bundle'));
    expect(readFileSync(file('bundle/rootfs/opt/made/file'), 'utf8')).toBe('mine\n');
    expect(readdirSync(supervisor.base).filter((name) => name.includes('.part'))).toEqual([]);

    const again = await supervisor.cli('save', '--format', 'oci-layout', '-o', file('layout'), 'web:made');
    expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('is there already') });
    expect(JSON.parse(skopeo('inspect', '--raw', `oci:${file('layout')}:web:made`))).toEqual(inspected);
  });

  test('of skopeo and umoci loads with all its images', async () => {
    await runWeb();
    await supervisor.ok('commit', 'web', 'web:made');
    await supervisor.ok('save', '-o', file('web.tar'), 'web:made');
    skopeo('copy', `docker-archive:${file('web.tar')}:web:made`, `oci:${file('others')}:their/web:1`);
    tool(
      'umoci',
      'config',
      '--image',
      `${file('others')}:their/web:1`,
      '--tag',
      'their/changed:2',
      '--config.env',
      'NEW=1',
    );
    await supervisor.ok('load', '-i', file('others'));
    const [theirs, changed] = [await tagged('their/web:1'), await tagged('their/changed:2')];
    expect(theirs.id).not.toBe(changed.id);
    supervisor.drop(
      'theirs.yaml',
      `containers:\n  theirs: { image: "their/changed:2", restart: "no", command: [/usr/bin/busybox, sh, -c, "echo $NEW; cat /opt/made/file"] }\n`,
    );
    await supervisor.waitFor('theirs', 'ended', ({ exitCode }) => exitCode === 0);
    expect(await supervisor.ok('logs', 'theirs')).toBe('1\nmine\n');

    const none = await supervisor.cli('load', '-i', supervisor.manifests);
    expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('is no image archive') });
  });
});

describe('the disk', () => {
  test('prune removes unused images and nothing else', async () => {
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
      ['pinned files', 0],
      ['build cache', 0],
    ]);
    expect(await supervisor.ok('images', '--tree')).toContain('app/busybox:latest');
  });
});
