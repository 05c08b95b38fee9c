/** Concurrent requests for one image: each gets it, and the work is done once. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Command } from '../support/command.ts';
import { GatedProxy } from '../support/gated-proxy.ts';
import { dockerArchive, findBusybox, type ImageFixture, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../support/registry.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const MIB = 1024 ** 2;
const busybox = findBusybox();
const POSSIBLE = REGISTRY_INSTALLED && SKOPEO_INSTALLED && busybox !== null;

let registry: RegistryServer | undefined;
let image: ImageFixture;
let proxy: GatedProxy;
let supervisor: TestSupervisor;
let commands: Command[];

beforeAll(async () => {
  if (!POSSIBLE) return;
  registry = await new RegistryServer().start();
  const program = tarOf({ path: 'bin/busybox', mode: 0o755, content: readFileSync(busybox ?? '') });
  image = { layers: [program, tarOf({ path: 'data', content: randomBytes(4 * MIB) })] };
  await registry.fill('app:1', image);
});

afterAll(async () => {
  await registry?.stop();
});

beforeEach(async () => {
  commands = [];
  proxy = await new GatedProxy(registry?.host ?? '').start();
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  proxy.open();
  await Promise.all(commands.map((command) => command.kill()));
  await supervisor.destroy();
  await proxy.stop();
});

function begin(...args: readonly string[]): Command {
  const command = new Command(supervisor, ...args);
  commands.push(command);
  return command;
}

const name = () => `${proxy.host}/app:1`;
const listed = (...path: string[]): string[] => {
  const directory = join(supervisor.root, ...path);
  return existsSync(directory) ? readdirSync(directory).filter((file) => file !== '_tmp') : [];
};

function pulls(count: number): Command[] {
  return Array.from({ length: count }, () => begin('pull', name()));
}

/** Each has said what it waits for. */
async function atWork(those: readonly Command[]): Promise<void> {
  await until('all at work', () => those.every(({ output }) => /reading|waiting/i.test(output)));
  await until('a layer asked for', () => proxy.asked.length > 0);
}

async function allReady(those: readonly Command[]): Promise<void> {
  const codes = await Promise.all(those.map(({ ended }) => ended));
  expect({ codes, outputs: codes.some((code) => code !== 0) ? those.map(({ output }) => output) : [] }).toEqual({
    codes: those.map(() => 0),
    outputs: [],
  });
}

/** One image with its two layers, and nothing half done. */
function expectOneImage(): void {
  expect(listed('graph')).toHaveLength(1);
  expect(listed('overlay').filter((id) => existsSync(join(supervisor.root, 'overlay', id, 'diff')))).toHaveLength(2);
  expect([listed('downloads'), listed('overlay', '.tmp'), listed('tmp').filter((file) => file !== 'images')]).toEqual([
    [],
    [],
    [],
  ]);
}

const MANIFEST = (reference: string) =>
  `images: { app: { pull: "${reference}" } }\ncontainers: { web: { image: app, command: ${FOREVER} } }\n`;

describe.skipIf(!POSSIBLE)('concurrent pulls of one image (needs docker-registry, skopeo and busybox)', () => {
  test('five pulls and an apply succeed with one request for each layer', async () => {
    proxy.closeAfter(MIB);
    const file = supervisor.file('app.yaml', MANIFEST(name()));
    const all = [...pulls(5), begin('apply', '--wait=2m', '-f', file)];
    await atWork(all);
    proxy.open();
    await allReady(all);
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Running' });
    const digests = proxy.asked.map(({ digest }) => digest);
    expect(digests).toHaveLength(new Set(digests).size);
    expectOneImage();
  });

  test('many pulls of a present image succeed', async () => {
    await supervisor.ok('pull', name());
    await allReady([...pulls(4), begin('pull', `${registry?.host}/app:1`)]);
    expectOneImage();
  });

  test('a load of the same layers does not wait for a silent registry, and neither fails the other', async () => {
    proxy.closeAfter(MIB);
    const archive = supervisor.file('app.tar', dockerArchive({ ...image, names: ['loaded:1'] }));
    const [first, second] = pulls(2) as [Command, Command];
    await atWork([first, second]);
    await allReady([begin('load', '-i', archive), begin('load', '-i', archive)]);
    await first.kill();
    proxy.open();
    await allReady([second]);
    const images = JSON.parse(await supervisor.ok('images', '-o', 'json')) as { tags: readonly string[] }[];
    expect(images.map(({ tags }) => [...tags].sort())).toEqual([[name(), 'loaded:1']]);
    expectOneImage();
  });

  test('pulls and loads succeed after kill -9 during others, and nothing is left', async () => {
    const archive = supervisor.file('app.tar', dockerArchive(image));
    proxy.closeAfter(MIB);
    const before = [...pulls(3), begin('load', '-i', archive)];
    supervisor.drop('app.yaml', MANIFEST(name()));
    await atWork(before.slice(0, 3));
    await supervisor.crash();
    const codes = await Promise.all(before.slice(0, 3).map(({ ended }) => ended));
    expect(codes).not.toContain(0);
    await supervisor.start();
    const after = [...pulls(3), begin('load', '-i', archive)];
    proxy.open();
    await allReady(after);
    await supervisor.waitFor('web', 'running', ({ ready }) => ready);
    expectOneImage();
  });
});
