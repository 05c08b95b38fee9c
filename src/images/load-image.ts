import { createHash } from 'node:crypto';
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageSource, LoadContext, LoadedImage } from './image.ts';
import { loadArchive } from './sources/archive.ts';
import { hostFingerprint, loadHost } from './sources/host/host.ts';
import { sourceMissing } from './sources/image-files.ts';
import { loadLayout } from './sources/layout.ts';
import { loadRootfs } from './sources/rootfs.ts';
import { scanTree } from './tree/scan.ts';

/**
 * Loads an image into the graph. Layers that are there are not read again; after a failure no part of a layer stays.
 * @throws TSD_IMAGE_SOURCE (missing, unreadable, changed meanwhile), TSD_IMAGE_INVALID, TSD_LAYER_HOSTILE,
 * TSD_NOT_IN_THIS_VERSION, TSD_DISK_FULL, TSD_SYSCALL.
 */
export function loadImage(source: ImageSource, context: LoadContext): Promise<LoadedImage> {
  switch (source.type) {
    case 'archive':
      return loadArchive(source, context);
    case 'layout':
      return loadLayout(source, context);
    case 'rootfs':
      return loadRootfs(source, context);
    case 'host':
      return loadHost(source, context);
  }
}

/**
 * A text that changes when loading the source again could give another image: from file status, without reading contents.
 * @throws TSD_IMAGE_SOURCE, or the signal's reason.
 */
export async function sourceFingerprint(source: ImageSource, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256').update(`${JSON.stringify(source)}\n`);
  for await (const text of contentStatus(source, signal)) hash.update(text);
  return hash.digest('hex');
}

async function* contentStatus(source: ImageSource, signal: AbortSignal | undefined): AsyncGenerator<string> {
  if (source.type === 'host') {
    yield await hostFingerprint(source, signal);
    return;
  }
  try {
    if (source.type === 'archive') yield fileStatus(source.path);
    else if (source.type === 'layout') yield layoutStatus(source.path);
    else if (statSync(source.path).isDirectory()) yield* treeStatus(source.path, signal);
    else yield fileStatus(source.path);
  } catch (cause) {
    signal?.throwIfAborted();
    throw sourceMissing(source.path, cause);
  }
}

function fileStatus(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/** Blobs are named by their content; which of them exist matters, since a missing one may arrive later. */
function layoutStatus(path: string): string {
  const blobs = join(path, 'blobs', 'sha256');
  const named = readdirSync(blobs)
    .sort()
    .map((name) => `${name} ${fileStatus(join(blobs, name))}`);
  return [fileStatus(join(path, 'index.json')), ...named].join('\n');
}

/** A directory's times change with every name in it, and ctime with everything else. */
async function* treeStatus(path: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
  let separator = '';
  for await (const { path: name, stat } of scanTree(realpathSync(path), signal)) {
    yield separator + [name, stat.dev, stat.ino, stat.mode, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ');
    separator = '\n';
  }
}
