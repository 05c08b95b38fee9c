import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageSource, LoadContext, LoadedImage } from './image.ts';
import { sha256Hex } from './image-config.ts';
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
  return sha256Hex(`${JSON.stringify(source)}\n${await contentFingerprint(source, signal)}`);
}

async function contentFingerprint(source: ImageSource, signal: AbortSignal | undefined): Promise<string> {
  if (source.type === 'host') return hostFingerprint(source, signal);
  try {
    if (source.type === 'archive') return fileStatus(source.path);
    if (source.type === 'layout') return layoutStatus(source.path);
    return statSync(source.path).isDirectory() ? await treeStatus(source.path, signal) : fileStatus(source.path);
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
async function treeStatus(path: string, signal: AbortSignal | undefined): Promise<string> {
  const lines: string[] = [];
  for await (const { path: name, stat } of scanTree(realpathSync(path), signal)) {
    lines.push([name, stat.dev, stat.ino, stat.mode, stat.size, stat.mtimeNs, stat.ctimeNs].join(' '));
  }
  return lines.join('\n');
}
