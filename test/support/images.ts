/** Builders of image archives, layouts and layers, well-formed or hostile, for tests. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { GraphDriver } from '../../src/drivers/contract/graph.ts';
import type { ImageProgress, LoadContext } from '../../src/images/image.ts';
import { LayerWork } from '../../src/images/layer-work.ts';
import type { TarHeader } from '../../src/images/tar/header.ts';
import { checksum } from '../../src/images/tar/header.ts';
import { END_OF_ARCHIVE, encodeHeader, paddingAfter, tarHeader } from '../../src/images/tar/writer.ts';

export const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

export interface TarFixture extends Partial<Omit<TarHeader, 'size'>> {
  readonly path: string;
  readonly content?: string | Buffer;
}

/** A tar of the entries, in this order, without any check. `type` is file by default. */
export function tarOf(...fixtures: readonly TarFixture[]): Buffer {
  const pieces = fixtures.flatMap(({ content, ...fields }) => {
    const bytes = Buffer.from(content ?? '');
    const header = tarHeader({ type: 'file', ...fields, size: bytes.length });
    return [encodeHeader(header), bytes, paddingAfter(bytes.length)];
  });
  return Buffer.concat([...pieces, END_OF_ARCHIVE]);
}

/** Sets a byte of the first header block and corrects its checksum. */
export function withFlag(tar: Buffer, flag: string): Buffer {
  const changed = Buffer.from(tar);
  changed.write(flag, 156, 'latin1');
  changed.write(`${checksum(changed.subarray(0, 512)).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return changed;
}

export interface ImageFixture {
  /** Uncompressed layer tars, bottom first. */
  readonly layers: readonly Buffer[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly names?: readonly string[];
  readonly architecture?: string;
  readonly history?: readonly object[];
}

export function configJson({ layers, config, architecture, history }: ImageFixture): string {
  return JSON.stringify({
    architecture: architecture ?? (process.arch === 'x64' ? 'amd64' : process.arch),
    os: 'linux',
    created: '2024-05-06T07:08:09.123456789Z',
    config: config ?? {},
    ...(history && { history }),
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
  });
}

/** What `docker save` writes. */
export function dockerArchive(...images: readonly ImageFixture[]): Buffer {
  const files: TarFixture[] = [];
  const manifest = images.map((image) => {
    const json = configJson(image);
    const config = `${sha256(json)}.json`;
    files.push({ path: config, content: json });
    const layers = image.layers.map((layer) => {
      const path = `${sha256(layer)}/layer.tar`;
      files.push({ path, content: layer });
      return path;
    });
    return { Config: config, RepoTags: image.names ?? null, Layers: layers };
  });
  return tarOf(...files, { path: 'manifest.json', content: JSON.stringify(manifest) });
}

/** Path → bytes of an OCI layout with gzipped layers. */
export function ociLayout(...images: readonly ImageFixture[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const blob = (bytes: Buffer, mediaType: string): { mediaType: string; digest: string; size: number } => {
    files.set(`blobs/sha256/${sha256(bytes)}`, bytes);
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const manifests = images.map((image) => {
    const manifest = {
      schemaVersion: 2,
      config: blob(Buffer.from(configJson(image)), 'application/vnd.oci.image.config.v1+json'),
      layers: image.layers.map((tar) => blob(gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip')),
    };
    const name = image.names?.[0];
    return {
      ...blob(Buffer.from(JSON.stringify(manifest)), 'application/vnd.oci.image.manifest.v1+json'),
      ...(name !== undefined && { annotations: { 'org.opencontainers.image.ref.name': name } }),
      ...(image.architecture !== undefined && { platform: { os: 'linux', architecture: image.architecture } }),
    };
  });
  files.set('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  return files;
}

export function writeFiles(directory: string, files: ReadonlyMap<string, Buffer>): void {
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  }
}

export const tarOfFiles = (files: ReadonlyMap<string, Buffer>): Buffer =>
  tarOf(...[...files].map(([path, content]) => ({ path, content })));

/** Path of a static busybox, or null where none is installed. */
export function findBusybox(): string | null {
  for (const path of ['/usr/bin/busybox', '/bin/busybox']) {
    try {
      const kind = execFileSync(path, ['--help'], { encoding: 'utf8' });
      if (kind.startsWith('BusyBox')) return path;
    } catch {
      // Not this one.
    }
  }
  return null;
}

/** A small root filesystem: busybox under all its names. */
export function busyboxRootfs(directory: string, busybox: string): void {
  for (const name of ['bin', 'sbin', 'usr/bin', 'usr/sbin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root']) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  const target = join(directory, 'bin/busybox');
  copyFileSync(busybox, target);
  chmodSync(target, 0o755);
  const applets = execFileSync(busybox, ['--list-full'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets.filter((path) => basename(path) !== 'busybox')) {
    mkdirSync(join(directory, dirname(applet)), { recursive: true });
    symlinkSync('/bin/busybox', join(directory, applet));
  }
  writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\n');
}

/** The same as a layer. */
function busyboxLayer(busybox: string): Buffer {
  const rootfs = mkdtempSync('/tmp/tsd-test-rootfs-');
  try {
    busyboxRootfs(rootfs, busybox);
    chmodSync(rootfs, 0o755);
    return execFileSync('tar', ['-C', rootfs, '-cf', '-', '.'], { maxBuffer: 2 ** 28 });
  } finally {
    rmSync(rootfs, { recursive: true });
  }
}

let busyboxBaseLayer: Buffer | undefined;

/** The layer of this host's busybox, made once. Only for tests that are skipped where there is none. */
export function busyboxBase(): Buffer {
  busyboxBaseLayer ??= busyboxLayer(findBusybox() ?? '');
  return busyboxBaseLayer;
}

/** A directory of the test's own; `remove` belongs into afterEach. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync('/tmp/tsd-test-');
  return { path, remove: () => void execFileSync('rm', ['-rf', path, `${path}-recipes`]) };
}

/** A context that keeps what was reported. */
export function loadContext(graph: GraphDriver, tmpDir: string): LoadContext & { readonly events: ImageProgress[] } {
  const events: ImageProgress[] = [];
  const progress = (event: ImageProgress) => void events.push(event);
  return { graph, work: new LayerWork(), tmpDir, recipes: `${tmpDir}-recipes`, events, progress };
}

/** A tar in the directory of a busybox root filesystem with users, groups and a link that builds refer to. Returns its path. */
export function buildBase(directory: string, busybox: string): string {
  const rootfs = join(directory, 'rootfs');
  mkdirSync(rootfs);
  busyboxRootfs(rootfs, busybox);
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home:/bin/sh\n');
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\napp:x:1001:\nstaff:x:50:\n');
  mkdirSync(join(rootfs, 'usr/real'));
  symlinkSync('usr/real', join(rootfs, 'link'));
  chmodSync(join(rootfs, 'tmp'), 0o1777);
  execFileSync('tar', ['-C', rootfs, '-cf', `${rootfs}.tar`, '.']);
  return `${rootfs}.tar`;
}
