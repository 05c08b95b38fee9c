/** One consistent look at all candidates: every Desired that can be made of them, and everything that is wrong. */
import type { Desired, References, SpecOfKind } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { type Kind, type ResourceKey, resourceKey } from '../../model/resource.ts';
import type { BuildContexts } from '../build-contexts.ts';
import {
  type Content,
  type ContentHasher,
  contentPaths,
  contentReactions,
  hashContent,
  loadEnvironment,
} from '../content.ts';
import type { ParsedResource } from '../parse.ts';
import { canonicalJson, specHash } from '../spec-hash.ts';
import { engineName, findCollisions } from './collisions.ts';
import { findCycles } from './cycles.ts';
import { withAbsolutePaths } from './paths.ts';
import { NO_REFERENCES, type OnOtherApp, resolveReferences } from './references.ts';
import { checkContainer } from './rules.ts';
import { undeclaredImage } from './undeclared-image.ts';
import { type Candidate, type Declared, type Finding, finding, positionOf, Universe } from './universe.ts';

export interface BuildOptions {
  readonly hasher: ContentHasher;
  /** Where ports without an address are published: the supervisor's --ip. */
  readonly defaultHostIp: string;
  readonly contexts: BuildContexts;
  readonly onOtherApp?: OnOtherApp | undefined;
}

export interface Build {
  readonly resources: ReadonlyMap<ResourceKey, Desired>;
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

type ReadContent = Pick<Content, 'hashes' | 'reactions' | 'inputs'> & { readonly findings: readonly Finding[] };

/** A frozen revision keeps the content it was accepted with; of a current one every file is read. */
function readContent(
  at: Declared<'container'>,
  written: ContainerSpec,
  absolute: ContainerSpec,
  hasher: ContentHasher,
): ReadContent {
  const paths = contentPaths(written, absolute);
  const frozen = at.candidate.frozenHashes;
  if (frozen) {
    const names = [...paths.secrets, ...paths.binds]
      .map((path) => path.written)
      .filter((name) => Object.hasOwn(frozen, name));
    const hashes = Object.fromEntries(names.map((name) => [name, frozen[name] ?? '']));
    return { hashes, reactions: contentReactions(paths), inputs: [], findings: [] };
  }
  const content = hashContent(paths, hasher, at.candidate.lastHashes);
  const { problems } = loadEnvironment(absolute, hasher.readFile);
  // A file that was read before and is on a filesystem that does not answer now counts as it did then.
  const known = new Set(
    paths.secrets
      .filter(({ written, reaction }) => reaction === 'ignore' || content.hashes[written])
      .map(({ field }) => field),
  );
  const wrong = problems.filter(({ field, unanswered }) => !(unanswered && known.has(field)));
  const findings = [...content.problems, ...wrong].map(({ field, message }) =>
    finding(
      at,
      'TSD_MANIFEST_READ',
      message,
      at.resource.positions[field] ?? positionOf(at, field.replace(/\..*/, '')),
    ),
  );
  return { ...content, findings };
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

  constructor(universe: Universe, options: BuildOptions) {
    this.#universe = universe;
    this.#options = options;
  }

  build(): Build {
    for (const at of this.#universe.all()) {
      if (at.resource.kind === 'container') this.#container(at as Declared<'container'>);
      else if (at.resource.kind === 'image') this.#image(at as Declared<'image'>);
      else this.#plain(at);
    }
    this.#findings.push(
      ...findCollisions(
        this.#universe,
        this.#options.defaultHostIp,
        (key) => this.#references.get(key)?.network ?? null,
      ),
      ...findCycles(this.#references, this.#universe),
    );
    return { resources: this.#resources, findings: this.#findings, inputs: this.#inputs };
  }

  #plain(at: Declared): void {
    const { kind, spec } = at.resource;
    if (spec) this.#add(at, withAbsolutePaths(kind, spec, at.candidate.baseDir), NO_REFERENCES, {});
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
    const earlier = frozenHashes?.[written] ?? (known ? undefined : earlierHashes[written]);
    const content = earlier === undefined ? contexts.read(absolute.source) : null;
    const references = { ...NO_REFERENCES, bases: this.#bases(at, (known ?? content)?.images ?? []) };
    this.#references.set(at.key, references);
    if (content && content.problem !== null) {
      this.#findings.push(
        finding(at, 'TSD_MANIFEST_READ', content.problem, positions.build ?? positionOf(at, 'build')),
      );
    }
    this.#watch(sourceId, content?.inputs ?? []);
    const hash = earlier ?? content?.hash ?? null;
    this.#add(at, absolute, references, hash === null ? {} : { [written]: hash });
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
    const content = readContent(at, spec, absolute, this.#options.hasher);
    this.#references.set(at.key, references);
    this.#findings.push(...findings, ...checkContainer(at, spec, references, this.#universe), ...content.findings);
    this.#watch(at.candidate.sourceId, content.inputs);
    this.#add(at, absolute, references, content.hashes, content.reactions);
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
    reactions: Content['reactions'] = {},
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
