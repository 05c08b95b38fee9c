/** One consistent look at all candidates: every Desired that can be made of them, and everything that is wrong. */

import type { ResourceContents } from '../../model/contents.ts';
import type { Desired, References, SpecOfKind } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { append } from '../../model/lists.ts';
import { type Kind, type ResourceKey, resourceKey } from '../../model/resource.ts';
import type { BuildContexts } from '../build-contexts.ts';
import type { ReadFile } from '../content.ts';
import type { ContentHasher } from '../content-hash.ts';
import type { ParsedResource } from '../parse.ts';
import { canonicalJson, specHash } from '../spec-hash.ts';
import { engineName, findCollisions } from './collisions.ts';
import { readContainerContent } from './container-content.ts';
import { CopyRoom } from './copy-room.ts';
import { findCycles } from './cycles.ts';
import { checkNetwork, type KnownNetworkDrivers } from './network-fields.ts';
import { withAbsolutePaths } from './paths.ts';
import { NO_REFERENCES, type OnOtherApp, resolveReferences } from './references.ts';
import { checkContainer } from './rules.ts';
import { undeclaredImage } from './undeclared-image.ts';
import { type Candidate, type Declared, type Finding, finding, positionOf, Universe } from './universe.ts';

export interface BuildOptions {
  readonly hasher: ContentHasher;
  /** Reads what containers of a source are configured by; left out, as other files. */
  readonly readerFor?: ((sourceId: string) => ReadFile) | undefined;
  /** Where ports without an address are published: the supervisor's --ip. */
  readonly defaultHostIp: string;
  readonly networkDrivers: KnownNetworkDrivers;
  readonly contexts: BuildContexts;
  readonly onOtherApp?: OnOtherApp | undefined;
}

/** What the files of one source hold, and which of them changed. */
interface SourceFiles {
  readonly contents: Record<ResourceKey, ResourceContents>;
  /** Files, as written, that are not any more what they are pinned to. */
  readonly changed: Set<string>;
  /** By resource, files as written whose changes count although the manifest is pinned. */
  readonly followed: Record<ResourceKey, readonly string[]>;
}

export interface Build {
  readonly resources: ReadonlyMap<ResourceKey, Desired>;
  /** By source. */
  readonly files: ReadonlyMap<string, SourceFiles>;
  /** What copies of files that are read now hold, by name. */
  readonly copies: ReadonlyMap<string, Buffer>;
  readonly findings: readonly Finding[];
  /** Files whose content counts, absolute, by source. */
  readonly inputs: ReadonlyMap<string, ReadonlySet<string>>;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}

interface Known {
  readonly baseDir: string;
  readonly contentHashes: Readonly<Record<string, string>>;
  readonly hash: string;
}

/** Hashes of resources that were parsed before and did not change since. */
const knownHashes = new WeakMap<ParsedResource, Known>();

function hashOf<K extends Kind>(
  at: Declared<K>,
  spec: SpecOfKind[K],
  contentHashes: Readonly<Record<string, string>>,
): string {
  const { baseDir } = at.candidate;
  const known = knownHashes.get(at.resource);
  if (known?.baseDir === baseDir && canonicalJson(known.contentHashes) === canonicalJson(contentHashes))
    return known.hash;
  const hash = specHash(at.resource.kind, spec, contentHashes);
  knownHashes.set(at.resource, { baseDir, contentHashes, hash });
  return hash;
}

class Builder {
  readonly #universe: Universe;
  readonly #options: BuildOptions;
  readonly #resources = new Map<ResourceKey, Desired>();
  readonly #references = new Map<ResourceKey, References>();
  readonly #findings: Finding[] = [];
  readonly #inputs = new Map<string, Set<string>>();
  readonly #files = new Map<string, SourceFiles>();
  readonly #room: CopyRoom;

  constructor(universe: Universe, options: BuildOptions) {
    this.#universe = universe;
    this.#options = options;
    const pinned = universe.candidates.map(({ pinned: own, frozenHashes, lastContents }) =>
      frozenHashes ? lastContents : own?.contents,
    );
    this.#room = new CopyRoom(pinned.filter((contents) => contents != null));
  }

  build(): Build {
    for (const at of this.#universe.all()) {
      if (at.resource.kind === 'container') this.#container(at as Declared<'container'>);
      else if (at.resource.kind === 'image') this.#image(at as Declared<'image'>);
      else if (at.resource.kind === 'network') this.#network(at as Declared<'network'>);
      else this.#plain(at);
    }
    const networksOf = (key: ResourceKey) => this.#references.get(key)?.networks ?? [];
    append(this.#findings, findCollisions(this.#universe, this.#options.defaultHostIp, networksOf));
    append(this.#findings, findCycles(this.#references, this.#universe));
    return {
      resources: this.#resources,
      findings: this.#findings,
      inputs: this.#inputs,
      files: this.#files,
      copies: this.#room.taken,
    };
  }

  #plain(at: Declared): void {
    const { kind, spec } = at.resource;
    if (spec) this.#add(at, withAbsolutePaths(kind, spec, at.candidate.baseDir), NO_REFERENCES, {});
  }

  #network(at: Declared<'network'>): void {
    const { spec } = at.resource;
    if (spec) append(this.#findings, checkNetwork(at, spec, this.#options.networkDrivers));
    this.#plain(at);
  }

  /** The context of a build belongs to its declaration. */
  #image(at: Declared<'image'>): void {
    const { spec, positions } = at.resource;
    if (spec?.source.type !== 'build') {
      this.#plain(at);
      return;
    }
    const absolute = withAbsolutePaths('image', spec, at.candidate.baseDir);
    if (absolute.source.type !== 'build') return;
    const { contexts } = this.#options;
    const { sourceId, frozenHashes, earlierHashes } = at.candidate;
    const written = spec.source.context;
    const known = contexts.known(absolute.source);
    const pinned = this.#pinnedContext(at, written);
    const earlier = frozenHashes?.[written] ?? pinned?.hash ?? (known ? undefined : earlierHashes[written]);
    const content = earlier === undefined ? contexts.read(absolute.source) : null;
    const images = pinned?.images ?? (known ?? content)?.images ?? [];
    const references = { ...NO_REFERENCES, bases: this.#bases(at, images) };
    this.#references.set(at.key, references);
    if (content && content.problem !== null) {
      this.#findings.push(
        finding(at, 'TSD_MANIFEST_READ', content.problem, positions.build ?? positionOf(at, 'build')),
      );
    }
    this.#watch(sourceId, (content ?? (pinned ? known : null))?.inputs ?? []);
    const hash = earlier ?? content?.hash ?? null;
    const hashes = hash === null ? {} : { [written]: hash };
    this.#note(at, { hashes, files: {}, images }, at.candidate.app.follow ? [written] : []);
    if (pinned && known && known.hash !== pinned.hash) this.#filesOf(sourceId).changed.add(written);
    this.#add(at, absolute, references, hashes);
  }

  /** What a build context is pinned to, and the images that its Dockerfile used then where that is known. */
  #pinnedContext(
    { key, candidate: { pinned, app } }: Declared<'image'>,
    written: string,
  ): { readonly hash: string; readonly images: readonly string[] | undefined } | null {
    if (pinned === null || (app.follow && !pinned.held)) return null;
    const entry = pinned.contents.resources[key];
    const hash = entry?.hashes[written] ?? pinned.hashes?.[written];
    return hash === undefined ? null : { hash, images: entry?.images };
  }

  #filesOf(sourceId: string): SourceFiles {
    const files = this.#files.get(sourceId) ?? { contents: {}, changed: new Set(), followed: {} };
    this.#files.set(sourceId, files);
    return files;
  }

  #note({ key, candidate }: Declared, contents: ResourceContents, followed: readonly string[]): void {
    const files = this.#filesOf(candidate.sourceId);
    files.contents[key] = contents;
    if (followed.length > 0) files.followed[key] = followed;
  }

  /** An image of its own name is one of elsewhere: an image cannot be made from itself. */
  #bases(at: Declared<'image'>, names: readonly string[]): readonly ResourceKey[] {
    const plain = names.filter((name) => !name.includes('/'));
    const keys = plain.map((name) => this.#universe.lookup('image', name, at.candidate.app.app));
    return keys.filter((key) => key !== null && key !== at.key) as ResourceKey[];
  }

  #watch(sourceId: string, paths: readonly string[]): void {
    const inputs = this.#inputs.get(sourceId) ?? new Set();
    this.#inputs.set(sourceId, inputs);
    for (const path of paths) inputs.add(path);
  }

  #container(at: Declared<'container'>): void {
    const { spec } = at.resource;
    if (!spec) return;
    const absolute = withAbsolutePaths('container', spec, at.candidate.baseDir);
    const { references: named, findings } = resolveReferences(at, spec, this.#universe, this.#options.onOtherApp);
    const references = { ...named, image: named.image ?? this.#undeclaredImage(at, spec) };
    const { hasher: plain, readerFor } = this.#options;
    const hasher = { ...plain, readSettings: readerFor?.(at.candidate.sourceId) };
    const content = readContainerContent(at, spec, absolute, hasher, this.#room);
    this.#references.set(at.key, references);
    append(this.#findings, [
      ...findings,
      ...checkContainer(at, spec, references, this.#universe, this.#options.networkDrivers),
      ...content.findings,
    ]);
    this.#watch(at.candidate.sourceId, content.inputs);
    this.#note(at, content.contents, content.followed);
    for (const path of content.changed) this.#filesOf(at.candidate.sourceId).changed.add(path);
    this.#add(at, absolute, references, content.hashes, content);
  }

  /** A container may name an image of a registry without declaring it: it is declared in its place. */
  #undeclaredImage(at: Declared<'container'>, { image }: ContainerSpec): ResourceKey | null {
    const undeclared = undeclaredImage(image);
    if (undeclared === null) return null;
    const { app } = at.candidate.app;
    const { name, spec, written } = undeclared;
    const key = resourceKey('image', app, name);
    if (this.#resources.has(key)) return key;
    const desired: Desired<'image'> = {
      key,
      kind: 'image',
      app,
      name,
      engineName: `${app}-${name}`,
      spec,
      written,
      specHash: specHash('image', spec),
      contentHashes: {},
      references: NO_REFERENCES,
      source: positionOf(at, 'image'),
      positions: {},
    };
    this.#resources.set(key, deepFreeze(desired));
    return key;
  }

  #add<K extends Kind>(
    at: Declared<K>,
    spec: SpecOfKind[K],
    references: References,
    contentHashes: Readonly<Record<string, string>>,
    { reactions = {}, files = {}, live = [] }: Partial<Pick<Desired, 'reactions' | 'files' | 'live'>> = {},
  ): void {
    const { kind, name, written, position, positions } = at.resource;
    const desired: Desired<K> = {
      key: at.key,
      kind,
      app: at.candidate.app.app,
      name,
      engineName: engineName(at),
      spec,
      written,
      specHash: hashOf(at, spec, contentHashes),
      contentHashes,
      reactions,
      ...(Object.keys(files).length > 0 && { files }),
      ...(live.length > 0 && { live }),
      references,
      source: position,
      positions,
    };
    this.#resources.set(at.key, deepFreeze(desired));
  }
}

/** Pure but for the files the hasher reads. */
export function buildAll(candidates: readonly Candidate[], options: BuildOptions): Build {
  return new Builder(new Universe(candidates), options).build();
}
