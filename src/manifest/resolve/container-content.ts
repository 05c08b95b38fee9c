/** What the files of one container hold: as they are now, or as they are pinned. */

import type { LiveFile, ResourceContents } from '../../model/contents.ts';
import type { Desired } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { type Content, type ContentHasher, hashContent, type Pinning } from '../content-hash.ts';
import { type ContentPath, type ContentPaths, contentPaths, contentReactions } from '../content-paths.ts';
import { loadEnvironment } from '../environment.ts';
import { loadProfile } from '../seccomp-profile.ts';
import type { CopyRoom } from './copy-room.ts';
import { saysOnChange } from './says-on-change.ts';
import { type Declared, type Finding, finding, positionOf } from './universe.ts';

export interface ContainerContent extends Pick<Content, 'hashes' | 'reactions' | 'inputs' | 'changed'> {
  readonly contents: ResourceContents;
  /** By absolute path, the names of the copies that stand for files. */
  readonly files: NonNullable<Desired['files']>;
  readonly live: readonly LiveFile[];
  /** Files, as written, whose changes count although the manifest is pinned. */
  readonly followed: readonly string[];
  readonly findings: readonly Finding[];
}

/** Why a bound file or directory is used as it is at the moment. */
function liveReason(
  { readOnly, watch, onChange, target }: ContainerSpec['volumes'][number],
  spec: ContainerSpec,
  type: ContentPath['type'] | undefined,
): string {
  if (!readOnly) return `${target} may be written to`;
  if (watch === false) return 'watch: false';
  if ((onChange ?? spec.onChange) === 'ignore') return 'onChange: ignore';
  if (type === 'secret') return 'a secret';
  return 'a directory, missing, or larger than what is pinned';
}

function liveFiles(written: ContainerSpec, absolute: ContainerSpec, paths: ContentPaths, files: object): LiveFile[] {
  const byField = new Map(paths.binds.map((path) => [path.field, path]));
  return absolute.volumes.flatMap((mount, index) => {
    if (mount.type !== 'bind' || mount.source === null) return [];
    const path = written.volumes[index]?.source ?? mount.source;
    const known = byField.get(`volumes.${index}`);
    if (known !== undefined && Object.hasOwn(files, path)) return [];
    return [{ path, reason: liveReason(mount, absolute, known?.type) }];
  });
}

function namesByPath(paths: ContentPaths, files: ResourceContents['files']): NonNullable<Desired['files']> {
  const all = [...paths.binds, ...paths.secrets].flatMap(({ path, written, type }) => {
    const copy = files[written];
    return copy === undefined || type === 'secret' ? [] : [[path, copy.name] as const];
  });
  return Object.fromEntries(all);
}

function pinningOf(at: Declared<'container'>, paths: ContentPaths, room: CopyRoom): Pinning {
  const { pinned, lastContents, app } = at.candidate;
  const entry = pinned?.contents.resources[at.key];
  const held = pinned?.held === true;
  const before = lastContents?.resources[at.key];
  // One path may be bound twice; it is followed where one of them wants that.
  const followed = new Set(
    [...paths.binds, ...paths.secrets].filter((path) => path.follows).map(({ written }) => written),
  );
  return {
    pinnedTo: ({ written, type }) => {
      if (entry === undefined || (!held && (app.follow || followed.has(written)))) return null;
      const [hash, copy] = [entry.hashes[written], type === 'secret' ? undefined : entry.files[written]];
      // What of an earlier time has no copy cannot be brought back: it counts as it is now.
      if (copy === undefined && (held || hash === undefined)) return null;
      return { hash, copy };
    },
    before: ({ written }) => before?.files[written],
    take: (copy, bytes) => room.take(copy, bytes),
  };
}

/** A frozen revision keeps the content it was accepted with. */
function frozenContent(at: Declared<'container'>, paths: ContentPaths, frozen: Readonly<Record<string, string>>) {
  const names = [...paths.secrets, ...paths.binds]
    .map((path) => path.written)
    .filter((name) => Object.hasOwn(frozen, name));
  const hashes = Object.fromEntries(names.map((name) => [name, frozen[name] ?? '']));
  const files = at.candidate.lastContents?.resources[at.key]?.files ?? {};
  return { hashes, files, reactions: contentReactions(paths), inputs: [], findings: [], changed: [] };
}

function currentContent(
  at: Declared<'container'>,
  absolute: ContainerSpec,
  paths: ContentPaths,
  hasher: ContentHasher,
  room: CopyRoom,
) {
  const pinning = pinningOf(at, paths, room);
  const content = hashContent(paths, hasher, at.candidate.lastHashes, pinning);
  const readSettings = hasher.readSettings ?? hasher.readFile;
  const { problems } = loadEnvironment(absolute, readSettings);
  const profile = loadProfile(absolute, readSettings);
  const byField = new Map([...paths.secrets, ...paths.binds].map((path) => [path.field, path]));
  // A file that was read before and is on a filesystem that does not answer now counts as it did then; what a copy
  // stands for was looked at when that was taken.
  const counts = ({ field, unanswered }: (typeof problems)[number]): boolean => {
    const path = byField.get(field);
    if (path === undefined) return true;
    if (pinning.pinnedTo(path) !== null) return false;
    return !(unanswered && (path.reaction === 'ignore' || content.hashes[path.written] !== undefined));
  };
  const findings = [...content.problems, ...[...problems, ...profile.problems].filter(counts)].map(
    ({ field, message, refused }) =>
      finding(
        at,
        refused === undefined ? 'TSD_MANIFEST_READ' : { code: 'TSD_UNTRUSTED', hint: refused },
        message,
        at.resource.positions[field] ?? positionOf(at, field.replace(/\..*/, '')),
      ),
  );
  return { ...content, findings };
}

/** Of a current revision every file is read; what it is pinned to stands for what it holds. */
export function readContainerContent(
  at: Declared<'container'>,
  written: ContainerSpec,
  absolute: ContainerSpec,
  hasher: ContentHasher,
  room: CopyRoom,
): ContainerContent {
  const paths = contentPaths(written, absolute, saysOnChange(at.resource));
  const frozen = at.candidate.frozenHashes;
  const content = frozen ? frozenContent(at, paths, frozen) : currentContent(at, absolute, paths, hasher, room);
  const all = [...paths.binds, ...paths.secrets];
  const secrets = [...new Set(all.filter(({ type }) => type === 'secret').map((path) => path.written))];
  const followed = at.candidate.app.follow ? all : all.filter(({ follows }) => follows);
  return {
    ...content,
    contents: { hashes: content.hashes, files: content.files, ...(secrets.length > 0 && { secrets }) },
    files: namesByPath(paths, content.files),
    live: liveFiles(written, absolute, paths, content.files),
    followed: [...new Set(followed.map((path) => path.written))],
  };
}
