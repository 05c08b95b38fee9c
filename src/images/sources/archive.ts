import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileError } from '../../ffi/layer-files.ts';
import { TsdError } from '../../model/errors.ts';
import { DEFAULT_LAYER_LIMITS, type ImageSource, type LoadContext, type LoadedImage } from '../image.ts';
import { decompressed, detectCompression, MAGIC_BYTES, readStart } from '../unpack/decompress.ts';
import { hostile } from '../unpack/layer-tree.ts';
import { DOCKER_MANIFEST, loadDockerArchive } from './docker-archive.ts';
import { type ImageFiles, sourceMissing, TarFiles } from './image-files.ts';
import { loadOci, OCI_INDEX } from './oci.ts';

type ArchiveSource = Extract<ImageSource, { type: 'archive' }>;

/**
 * Loads a docker-archive or oci-archive. A plain archive is read in place; a gzipped one is unpacked into tmpDir first,
 * because its index may stand at the end.
 */
export async function loadArchive({ path, ref }: ArchiveSource, context: LoadContext): Promise<LoadedImage> {
  context.progress({ type: 'reading', what: path });
  const start = await readStart(path, MAGIC_BYTES).catch((thrown: unknown) => {
    throw sourceMissing(path, thrown);
  });
  if (detectCompression(start) === 'none') return loadPlainArchive(path, ref, context);
  await mkdir(context.tmpDir, { recursive: true });
  const directory = await mkdtemp(join(context.tmpDir, 'archive-'));
  try {
    const plain = join(directory, 'archive.tar');
    await gunzipTo(path, plain, (context.limits ?? DEFAULT_LAYER_LIMITS).maxBytes);
    return await loadPlainArchive(plain, ref, context);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function loadPlainArchive(path: string, ref: string | undefined, context: LoadContext): Promise<LoadedImage> {
  const files: ImageFiles = new TarFiles(path);
  try {
    // Docker from 25 on writes both; manifest.json has the tags.
    if (files.has(DOCKER_MANIFEST)) return await loadDockerArchive(files, ref, context);
    if (files.has(OCI_INDEX)) return await loadOci(files, ref, context);
  } finally {
    files.close();
  }
  throw new TsdError('TSD_IMAGE_INVALID', `${path} is no image archive: it has no ${DOCKER_MANIFEST} or ${OCI_INDEX}`, {
    step: 'read image',
    hint: 'For the tar of a root filesystem use the source `rootfs`.',
  });
}

async function gunzipTo(from: string, to: string, maxBytes: number): Promise<void> {
  let bytes = 0;
  const limited = new Transform({
    transform(piece: Buffer, _encoding, done) {
      bytes += piece.length;
      if (bytes > maxBytes) done(hostile(`the archive is larger than ${maxBytes} bytes`));
      else done(null, piece);
    },
  });
  try {
    await pipeline(Readable.from(decompressed(createReadStream(from), () => {})), limited, createWriteStream(to));
  } catch (thrown) {
    throw fileError(thrown, `decompress ${from}`);
  }
}
