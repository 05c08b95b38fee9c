/** What the files of one manifest hold now, whatever it is pinned to. */

import { createHash } from 'node:crypto';
import type { SourceContents } from '../model/contents.ts';
import type { SpecOfKind } from '../model/desired.ts';
import { append } from '../model/lists.ts';
import { resourceKey } from '../model/resource.ts';
import type { BuildContexts } from './build-contexts.ts';
import { type ContentHasher, hashContent, type Pinning } from './content-hash.ts';
import { type ContentPath, contentPaths } from './content-paths.ts';
import type { ManifestApp, ParsedResource } from './parse.ts';
import { withAbsolutePaths } from './resolve/paths.ts';
import { saysOnChange } from './resolve/says-on-change.ts';
import { canonicalJson } from './spec-hash.ts';

interface Looked {
  readonly app: ManifestApp;
  readonly baseDir: string;
  /** What stands for files whose changes do not count; undefined where all count. */
  readonly pinned: SourceContents | undefined;
}

function containerHashes(
  resource: ParsedResource,
  spec: SpecOfKind['container'],
  { app, baseDir, pinned }: Looked,
  hasher: ContentHasher,
): { readonly hashes: Readonly<Record<string, string>>; readonly inputs: readonly string[] } {
  const paths = contentPaths(spec, withAbsolutePaths('container', spec, baseDir), saysOnChange(resource));
  const isNoSecret = ({ type }: ContentPath): boolean => type !== 'secret';
  const entry = app.follow ? undefined : pinned?.resources[resourceKey('container', app.app, resource.name)];
  const pinning: Pinning = {
    pinnedTo: ({ written, follows }) => {
      const hash = follows ? undefined : entry?.hashes[written];
      return hash === undefined ? null : { hash, copy: undefined };
    },
    before: () => undefined,
    take: () => false,
  };
  const present = { binds: paths.binds.filter(isNoSecret), secrets: paths.secrets.filter(isNoSecret) };
  return hashContent(present, hasher, {}, pinning);
}

/**
 * A hash over what the files hold that count, secrets apart, and the paths that it depends on. What cannot be read just
 * now is left out.
 */
export function presentDigest(
  looked: Looked,
  hasher: ContentHasher,
  contexts: BuildContexts,
): { readonly digest: string; readonly inputs: readonly string[] } {
  const hashes: Record<string, unknown> = {};
  const inputs: string[] = [];
  for (const resource of looked.app.resources) {
    const { kind, name, spec } = resource;
    if (kind === 'container' && spec !== null) {
      const content = containerHashes(resource, spec as SpecOfKind['container'], looked, hasher);
      hashes[`${kind}/${name}`] = content.hashes;
      append(inputs, content.inputs);
    }
    if (kind !== 'image' || spec === null) continue;
    const written = (spec as SpecOfKind['image']).source;
    const { source } = withAbsolutePaths('image', spec as SpecOfKind['image'], looked.baseDir);
    if (source.type !== 'build' || written.type !== 'build') continue;
    const { app, pinned } = looked;
    const hash = app.follow
      ? undefined
      : pinned?.resources[resourceKey('image', app.app, name)]?.hashes[written.context];
    if (hash !== undefined) {
      hashes[`${kind}/${name}`] = hash;
      continue;
    }
    const context = contexts.read(source);
    hashes[`${kind}/${name}`] = context.hash;
    append(inputs, context.inputs);
  }
  return { digest: createHash('sha256').update(canonicalJson(hashes)).digest('hex'), inputs };
}
