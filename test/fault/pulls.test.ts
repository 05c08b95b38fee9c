/** Pulls that a killed supervisor leaves half done: the next one continues where it was, and nothing else is left. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GatedProxy } from '../support/gated-proxy.ts';
import { findBusybox, sha256, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED, skopeo } from '../support/registry.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const MIB = 1024 ** 2;
const FILES = 2000;
const busybox = findBusybox();

const POSSIBLE = REGISTRY_INSTALLED && SKOPEO_INSTALLED && busybox !== null;

interface LayerBlob {
  readonly digest: string;
  readonly size: number;
  /** What its last file holds. */
  readonly last: Buffer;
}

let registry: RegistryServer | undefined;
let blob: LayerBlob;
let proxy: GatedProxy;
let supervisor: TestSupervisor;

beforeAll(async () => {
  if (!POSSIBLE) return;
  registry = await new RegistryServer().start();
  blob = await fill();
});

afterAll(async () => {
  await registry?.stop();
});

beforeEach(async () => {
  proxy = await new GatedProxy(registry?.host ?? '').start();
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  proxy.open();
  await supervisor.destroy();
  await proxy.stop();
});

const listed = (...path: string[]): string[] => {
  const directory = join(supervisor.root, ...path);
  return existsSync(directory) ? readdirSync(directory) : [];
};
const downloads = () => listed('downloads');
const partOf = (digest: string): string => `${digest.replace('sha256:', '')}.part`;
const partSize = (digest: string): number =>
  statSync(join(supervisor.root, 'downloads', partOf(digest)), { throwIfNoEntry: false })?.size ?? 0;
/** Layers that the graph driver is building. */
const inTheMaking = () => listed('overlay', '.tmp');

/** An image whose one layer is large, and takes a while to unpack. */
async function fill(): Promise<LayerBlob> {
  const content = randomBytes(24 * MIB);
  const size = content.length / FILES;
  const parts = Array.from({ length: FILES }, (_, index) => content.subarray(index * size, (index + 1) * size));
  const files = parts.map((part, index) => ({ path: `data/${index}`, content: part }));
  const layer = tarOf({ path: 'bin/busybox', mode: 0o755, content: readFileSync(busybox ?? '') }, ...files);
  await registry?.fill('big:1', { layers: [layer] });
  const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${registry?.host}/big:1`);
  const [layerBlob] = (JSON.parse(raw) as { layers: { digest: string; size: number }[] }).layers;
  return { digest: layerBlob?.digest ?? '', size: layerBlob?.size ?? 0, last: parts.at(-1) ?? Buffer.alloc(0) };
}

function declare(): void {
  supervisor.drop(
    'app.yaml',
    `images: { big: { pull: "${proxy.host}/big:1" } }\ncontainers: { web: { image: big, command: ${FOREVER} } }\n`,
  );
}

/** Waits until it runs, and expects that the image is whole and nothing else is left. */
async function expectComplete(last: Buffer): Promise<void> {
  await supervisor.waitFor('web', 'running', ({ ready }) => ready);
  const sum = await supervisor.ok('exec', 'web', 'busybox', 'sha256sum', `/data/${FILES - 1}`);
  expect(sum.split(' ')[0]).toBe(sha256(last));
  expect((await supervisor.ok('exec', 'web', 'busybox', 'ls', '/data')).trim().split('\n')).toHaveLength(FILES);
  expect(downloads()).toEqual([]);
  expect(inTheMaking()).toEqual([]);
}

describe.skipIf(!POSSIBLE)('kill -9 of the supervisor in a pull (needs docker-registry, skopeo and busybox)', () => {
  test('in the middle of a download: the next start requests only the rest', async () => {
    const { digest, size, last } = blob;
    proxy.closeAfter(size / 2);
    declare();
    await until('some of the blob on the disk', () => partSize(digest) > size / 4);
    await supervisor.crash();
    const [had, made] = [partSize(digest), inTheMaking()];
    expect(downloads()).toEqual([partOf(digest)]);
    await supervisor.start();
    await until('the rest asked for', () => proxy.asked.some(({ range }) => range !== ''));
    expect(inTheMaking().filter((name) => made.includes(name))).toEqual([]);
    proxy.open();
    await expectComplete(last);
    const ofBlob = proxy.asked.filter((request) => request.digest === digest);
    expect(ofBlob).toEqual([
      { digest, range: '' },
      { digest, range: `bytes=${had}-` },
    ]);
    // What was on its way when the supervisor was killed came twice, and no more than that.
    expect(proxy.sent.get(digest)).toBeLessThan(size + size / 2 - had + MIB);
  });

  test('in the middle of unpacking: the next start downloads nothing again', async () => {
    const { digest, size, last } = blob;
    declare();
    await until('the layer in the making', () => inTheMaking().length > 0 && partSize(digest) === size);
    await supervisor.crash();
    const made = inTheMaking();
    expect(made).not.toEqual([]);
    expect(downloads()).toEqual([partOf(digest)]);
    await supervisor.start();
    expect(inTheMaking().filter((name) => made.includes(name))).toEqual([]);
    await expectComplete(last);
    expect(proxy.sent.get(digest)).toBe(size);
  });

  test('a stop does not wait for a silent registry, and the download continues later', async () => {
    const { digest, size, last } = blob;
    proxy.closeAfter(size / 2);
    declare();
    await until('some of the blob on the disk', () => partSize(digest) > size / 4);
    await supervisor.stop();
    // Nothing came while it stopped: it was the stop that ended the download.
    const had = partSize(digest);
    expect(had).toBeLessThan(size);
    expect([downloads(), inTheMaking()]).toEqual([[partOf(digest)], []]);
    proxy.open();
    await supervisor.start();
    await expectComplete(last);
    expect(proxy.asked.filter((request) => request.digest === digest).at(-1)?.range).toBe(`bytes=${had}-`);
  });
});
