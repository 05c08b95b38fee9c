import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileError } from '../../ffi/files/layer-files.ts';
import { removeTree } from '../../ffi/files/remove-tree.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { DEFAULT_LAYER_LIMITS, type ImageSource, type LoadContext, type LoadedImage } from '../image.ts';
import { decompressed, detectCompression, MAGIC_BYTES, readStart } from '../unpack/decompress.ts';
import { hostile } from '../unpack/layer-tree.ts';
import { DOCKER_MANIFEST, loadDockerArchive, loadDockerImages } from './docker-archive.ts';
import { DirectoryFiles, type ImageFiles, sourceMissing, TarFiles } from './image-files.ts';
import { loadOci, loadOciImages, OCI_INDEX } from './oci.ts';
import { loadV1Archive, loadV1Images, V1_REPOSITORIES } from './v1-archive.ts';

type ArchiveSource = Extract<ImageSource, { type: 'archive' }>;

/**
 * Loads a docker-archive or oci-archive. A plain archive is read in place; a compressed one is unpacked into tmpDir first,
 * because its index can appear at the end.
 */
export async function loadArchive({ path, ref }: ArchiveSource, context: LoadContext): Promise<LoadedImage> {
  for await (const image of readArchive(path, context, (files) => oneImage(files, path, ref, context))) return image;
  throw notAnArchive(path);
}

/**
 * Loads all images of a docker-archive (also of the form before Docker 1.10), of an oci-archive, or of a directory that is
 * an OCI layout or one of these unpacked, one after the other.
 * @throws TSD_IMAGE_INVALID when there is none.
 */
export async function* loadArchiveImages(path: string, context: LoadContext): AsyncGenerator<LoadedImage> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) {
    context.progress({ type: 'reading', what: path });
    yield* allImages(new DirectoryFiles(path), path, context);
  } else {
    yield* readArchive(path, context, (files) => allImages(files, path, context));
  }
}

async function* readArchive(
  path: string,
  context: LoadContext,
  load: (files: ImageFiles) => AsyncIterable<LoadedImage>,
): AsyncGenerator<LoadedImage> {
  context.progress({ type: 'reading', what: path });
  const start = await readStart(path, MAGIC_BYTES).catch((thrown: unknown) => {
    throw sourceMissing(path, thrown);
  });
  if (detectCompression(start) === 'none') {
    yield* withFiles(path, load);
    return;
  }
  await mkdir(context.tmpDir, { recursive: true });
  const directory = await mkdtemp(join(context.tmpDir, 'archive-'));
  try {
    const plain = join(directory, 'archive.tar');
    await decompressTo(path, plain, context);
    yield* withFiles(plain, load);
  } finally {
    await removeTree(directory);
  }
}

async function* withFiles(
  path: string,
  load: (files: ImageFiles) => AsyncIterable<LoadedImage>,
): AsyncGenerator<LoadedImage> {
  const files = new TarFiles(path);
  try {
    yield* load(files);
  } finally {
    files.close();
  }
}

async function* oneImage(
  files: ImageFiles,
  path: string,
  ref: string | undefined,
  context: LoadContext,
): AsyncGenerator<LoadedImage> {
  // Docker from 25 on writes both; manifest.json has the tags.
  if (files.has(DOCKER_MANIFEST)) yield await loadDockerArchive(files, ref, context);
  else if (files.has(OCI_INDEX)) yield await loadOci(files, ref, context);
  else if (files.has(V1_REPOSITORIES)) yield await loadV1Archive(files, ref, context);
  else throw notAnArchive(path);
}

function allImages(files: ImageFiles, path: string, context: LoadContext): AsyncGenerator<LoadedImage> {
  if (files.has(DOCKER_MANIFEST)) return loadDockerImages(files, context);
  if (files.has(OCI_INDEX)) return loadOciImages(files, context);
  if (files.has(V1_REPOSITORIES)) return loadV1Images(files, context);
  throw notAnArchive(path);
}

function notAnArchive(path: string): TsdError {
  const message = `${path} is no image archive: it has no ${DOCKER_MANIFEST}, ${OCI_INDEX} or ${V1_REPOSITORIES}`;
  return new TsdError('TSD_IMAGE_INVALID', message, {
    step: 'read image',
    hint: 'For the tar of a root filesystem use the source `rootfs`, or `tsdocker import`.',
  });
}

async function decompressTo(from: string, to: string, { limits, signal }: LoadContext): Promise<void> {
  const { maxBytes } = limits ?? DEFAULT_LAYER_LIMITS;
  let bytes = 0;
  const limited = new Transform({
    transform(piece: Buffer, _encoding, done) {
      bytes += piece.length;
      if (bytes > maxBytes) done(hostile(`the archive is larger than ${maxBytes} bytes`));
      else done(null, piece);
    },
  });
  try {
    await pipeline(Readable.from(decompressed(createReadStream(from), () => {})), limited, createWriteStream(to), {
      signal,
    });
  } catch (thrown) {
    signal?.throwIfAborted();
    throw fileError(thrown, `decompress ${from}`);
  }
}
