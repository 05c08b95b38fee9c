/** Reads what containers are configured by beside their manifests. */
import type { ContentProblem, ReadFile } from '../manifest/content.ts';
import { loadEnvironment } from '../manifest/environment.ts';
import { loadProfile } from '../manifest/seccomp-profile.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { Configuration, ConfiguredContainer } from '../reconcile/ops/containers/run-task.ts';
import type { PathBook } from '../reconcile/path-book.ts';
import type { ContentStore } from '../state/content-store.ts';
import { freeReader } from './readers.ts';

/** How the files are read that a container is configured by. */
export interface SettingsReader {
  /** Files that users with the right to command may write. */
  trusted(app: string): ReadFile;
  /** Hashes that a file of this content may have been accepted with. */
  hashes(bytes: Buffer): readonly string[];
}

export function createConfiguration(paths: PathBook, contents: ContentStore, settings: SettingsReader): Configuration {
  const reader = (desired: ConfiguredContainer): ReadFile => readerOf(desired, paths, contents, settings);
  return {
    environmentOf: (desired) => {
      const { values, problems } = loadEnvironment(desired.spec, reader(desired));
      refuseFirst(problems);
      return values;
    },
    seccompOf: (desired) => {
      const { seccomp, problems } = loadProfile(desired.spec, reader(desired));
      refuseFirst(problems);
      return seccomp;
    },
  };
}

/** Copies stand for their files. */
function readerOf(
  { app, files = {}, contentHashes }: ConfiguredContainer,
  paths: PathBook,
  contents: ContentStore,
  settings: SettingsReader,
): ReadFile {
  const [readAny, readTrusted] = [freeReader(paths), settings.trusted(app)];
  const accepted = new Set(Object.values(contentHashes));
  return (path, maxBytes) => {
    const copy = files[path];
    if (copy !== undefined) return { ok: true, bytes: contents.read(copy) };
    const read = readTrusted(path, maxBytes);
    if (read.ok || read.reason !== 'untrusted') return read;
    // It holds what was accepted, even if others may write to it by now.
    const present = readAny(path, maxBytes);
    return present.ok && settings.hashes(present.bytes).some((hash) => accepted.has(hash)) ? present : read;
  };
}

function refuseFirst([first]: readonly ContentProblem[]): void {
  if (first === undefined) return;
  const { message, field: step, refused: hint } = first;
  const errorClass = first.unanswered ? 'unavailable' : 'precondition';
  if (hint !== undefined) throw new TsdError('TSD_UNTRUSTED', message, { step, class: errorClass, hint });
  throw new TsdError('TSD_MANIFEST_READ', message, { step, class: errorClass });
}
