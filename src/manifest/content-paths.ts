/** Which files belong to a spec by their content: env files, secrets and regular files bound read-only. */
import type { ContainerSpec } from '../model/kinds/container.ts';
import { profilePath } from '../model/kinds/seccomp-forms.ts';
import type { ContentReaction } from '../model/kinds/short-forms.ts';
import { MAX_CONTENT_BYTES } from './content.ts';

/** Files with `watch: true` are read as a whole, so they have a limit too. */
const MAX_WATCHED_BYTES = 64 * 1024 ** 2;

/** A path as written, beside the absolute one that is read. */
export interface ContentPath {
  /** `secret`: of it there is never a copy. */
  readonly type: 'env-file' | 'secret' | 'bind';
  /** Its manifest says what a change of it leads to, and so wants changes to count. */
  readonly follows: boolean;
  readonly written: string;
  readonly path: string;
  /** Field that names it: `volumes.0`. */
  readonly field: string;
  readonly reaction: ContentReaction;
  readonly maxBytes: number;
}

export interface ContentPaths {
  readonly secrets: readonly ContentPath[];
  readonly binds: readonly ContentPath[];
}

/** Files that are mounted here are secrets, as Compose has it: they stay off the disk. */
const SECRETS_DIRECTORY = /^\/(var\/)?run\/secrets\//;

/**
 * Files of a spec whose content counts, paired with how they were written. Both specs have the same shape.
 * @param follows the manifest says for the container what a change of a file leads to
 */
export function contentPaths(written: ContainerSpec, absolute: ContainerSpec, follows = false): ContentPaths {
  const { onChange } = absolute;
  const file = (type: 'env-file' | 'secret', path: string, as: string, field: string): ContentPath => ({
    type,
    follows,
    written: as,
    path,
    field,
    reaction: onChange,
    maxBytes: MAX_CONTENT_BYTES,
  });
  const secrets = absolute.envFile.map((path, index) =>
    file('env-file', path, written.envFile[index] ?? path, `envFile.${index}`),
  );
  for (const [name, value] of Object.entries(absolute.env)) {
    const original = written.env[name];
    if (typeof value === 'object' && typeof original === 'object') {
      secrets.push(file('secret', value.fromFile, original.fromFile, `env.${name}`));
    }
  }
  const binds: ContentPath[] = [];
  for (const [index, mount] of absolute.volumes.entries()) {
    if (mount.type !== 'bind' || !mount.readOnly || mount.source === null || mount.watch === false) continue;
    binds.push({
      type: mount.secret === true || SECRETS_DIRECTORY.test(mount.target) ? 'secret' : 'bind',
      follows: follows || mount.onChange !== undefined,
      written: written.volumes[index]?.source ?? mount.source,
      path: mount.source,
      field: `volumes.${index}`,
      reaction: mount.onChange ?? onChange,
      maxBytes: mount.watch ? MAX_WATCHED_BYTES : MAX_CONTENT_BYTES,
    });
  }
  const profile = profilePath(absolute);
  if (profile !== null) {
    binds.push({
      ...file('env-file', profile, written.seccomp ?? profile, 'seccomp'),
      type: 'bind',
      // A running process keeps the filter that it has.
      reaction: onChange === 'ignore' || onChange === 'recreate' ? onChange : 'restart',
    });
  }
  return { secrets, binds };
}

const STRENGTH: readonly string[] = ['recreate', 'restart'];

/** Of two reactions to one file, the one that does more. */
function stronger(a: ContentReaction | undefined, b: ContentReaction): ContentReaction {
  if (a === undefined) return b;
  return STRENGTH.find((reaction) => reaction === a || reaction === b) === b ? b : a;
}

/** What the files would lead to when they changed, by path as written. */
export function contentReactions({ secrets, binds }: ContentPaths): Record<string, ContentReaction> {
  const reactions: Record<string, ContentReaction> = {};
  for (const { written, reaction } of [...binds, ...secrets]) {
    if (reaction !== 'ignore') reactions[written] = stronger(reactions[written], reaction);
  }
  return reactions;
}
