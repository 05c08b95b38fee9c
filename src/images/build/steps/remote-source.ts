/** Files that ADD fetches from the network. */
import { basename, dirname, posix } from 'node:path';
import { Beneath } from '../../../ffi/files/beneath.ts';
import type { Expander } from '../../../model/dockerfile/expand.ts';
import type { Instruction } from '../../../model/dockerfile/instruction.ts';
import { dockerfileError, sourceLines } from '../../../model/dockerfile/place.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { BuildStage } from '../build-stage.ts';
import type { CopySource } from '../files/copy.ts';
import { openArchive } from '../files/local-archive.ts';
import { archiveTree, type SourceTree } from '../files/source-tree.ts';

/** What docker gives a fetched file. */
const FETCHED_MODE = 0o600;

/** The URL that a source of ADD is; null for a path. @throws TSD_DOCKERFILE for what is fetched otherwise. */
export function remoteUrl(source: string, { place }: Instruction): URL | null {
  if (/^(git|ssh|ftp):\/\/|^git@|^https?:\/\/[^?]*\.git(#|$)/i.test(source)) {
    throw dockerfileError(place, `ADD of ${source}: only files are fetched, by http and https`, {
      class: 'unsupported',
      hint: 'Put the files into the build context, or fetch them with RUN.',
    });
  }
  if (!/^https?:\/\//i.test(source)) return null;
  if (!URL.canParse(source)) throw dockerfileError(place, `ADD of ${source}: this is no URL`);
  return new URL(source);
}

/** @throws TSD_DOWNLOAD with the line, TSD_DOCKERFILE, TSD_DISK_FULL, and what unpacking throws. */
export async function fetchSource(
  { url, path, unpack }: { readonly url: URL; readonly path: string; readonly unpack: boolean },
  instruction: Instruction,
  expander: Expander,
  stage: BuildStage,
): Promise<{ readonly found: readonly CopySource[]; readonly archives: readonly SourceTree[] }> {
  const { place } = instruction;
  const { host, signal } = stage.context;
  const { origin, pathname } = url;
  const shown = `${origin}${pathname}`;
  const sha256 = checksumOf(instruction, expander);
  const name = unpack ? '' : fileName(url, instruction);
  const { network } = stage.context.request;
  if (network === 'none') {
    throw dockerfileError(place, `ADD of ${shown}: this build has no network`, {
      hint: 'Build with a network, or put the file into the build context.',
    });
  }
  const fetched = host.download({ url, sha256, path }, network, signal);
  const { size, mtimeSeconds } = await fetched.catch((thrown: unknown) => {
    signal.throwIfAborted();
    if (!(thrown instanceof TsdError) || thrown.code !== 'TSD_DOWNLOAD') throw thrown;
    throw new TsdError('TSD_DOWNLOAD', `ADD of ${shown}: ${thrown.message}\n${sourceLines(place)}`, {
      class: thrown.class,
      hint: thrown.hint,
      source: { file: place.file, line: place.line, column: 1 },
      cause: thrown,
    });
  });
  if (unpack) {
    const files = Beneath.open(dirname(path));
    try {
      const archive = await openArchive(files, basename(path), `${path}-unpacked`);
      if (archive === null) throw dockerfileError(place, `${shown} is no archive, and --unpack wants one`);
      return { found: [], archives: [archiveTree(archive, shown)] };
    } finally {
      files.close();
    }
  }
  const file = { name, content: { hostPath: path, size }, mode: FETCHED_MODE, mtimeSeconds };
  return { found: [{ type: 'inline', file }], archives: [] };
}

function checksumOf({ flags, place }: Instruction, expander: Expander): string | null {
  const [written] = flags.get('checksum') ?? [];
  if (written === undefined) return null;
  const checksum = expander.word(written, place);
  const [, hex] = /^sha256:([0-9a-f]{64})$/.exec(checksum) ?? [];
  if (hex === undefined)
    throw dockerfileError(place, `--checksum=${checksum}: it is sha256: and 64 hexadecimal digits`);
  return hex;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The name of the file in a directory; without one the destination names it. */
function fileName({ pathname, origin }: URL, { place, json, rest }: Instruction): string {
  const name = decoded(posix.basename(pathname));
  if (name !== '' && !name.includes('/') && !name.includes('\0') && name !== '..') return name;
  const destination = json?.at(-1) ?? rest.trim().split(/\s+/).at(-1) ?? '';
  if (!destination.endsWith('/')) return 'download';
  throw dockerfileError(
    place,
    `${origin}${pathname} ends without a name: write the name of the file at the destination`,
  );
}
