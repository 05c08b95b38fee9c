/** From YAML nodes to plain data, remembering where each part was written. */
import { isAlias, isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml';
import type { SourcePosition } from '../model/resource.ts';
import type { ManifestIssue } from './issue.ts';

export type Path = readonly (string | number)[];

/** Where a value stands: the position of its key (or list item), and of the value itself. */
interface Place {
  readonly key: SourcePosition;
  readonly value: SourcePosition;
}

/** Length of the path of a resource: section and name. */
const RESOURCE_DEPTH = 2;

const join = (path: Path): string => path.join('.');

/** Positions of the parts of one document, by path. */
export class Places {
  /** By resource, then by dotted path within it. Places above the resources stand under their own path and ''. */
  readonly #places = new Map<string, Map<string, Place>>();
  readonly #start: SourcePosition;

  constructor(start: SourcePosition) {
    this.#start = start;
  }

  add(path: Path, place: Place): void {
    const resource = join(path.slice(0, RESOURCE_DEPTH));
    const group = this.#places.get(resource) ?? new Map<string, Place>();
    this.#places.set(resource, group);
    group.set(join(path.slice(RESOURCE_DEPTH)), place);
  }

  /** The place of a path, or of the nearest part around it that was written. */
  find(path: Path): Place {
    for (let length = path.length; length > 0; length--) {
      const group = this.#places.get(join(path.slice(0, Math.min(length, RESOURCE_DEPTH))));
      const place = group?.get(join(path.slice(RESOURCE_DEPTH, Math.max(length, RESOURCE_DEPTH))));
      if (place) return place;
    }
    return { key: this.#start, value: this.#start };
  }

  /** Key positions of everything below a resource, by dotted path from there. */
  below(resource: Path): Record<string, SourcePosition> {
    const group = this.#places.get(join(resource)) ?? [];
    return Object.fromEntries([...group].filter(([path]) => path !== '').map(([path, place]) => [path, place.key]));
  }
}

/** Parts after aliases are written out: stops a small file from growing without bound. */
const MAX_PARTS = 100_000;
/** Characters of names and values after aliases are written out: a file of 1 MiB holds no more without any. */
const MAX_TEXT = 4 * 1024 ** 2;
const TOO_LARGE = 'the file grows too large when its aliases are written out';
/** Also ends an alias that contains itself. */
const MAX_DEPTH = 24;

interface Context {
  readonly places: Places;
  readonly issues: ManifestIssue[];
  readonly positionAt: (offset: number) => SourcePosition;
  /** True where plain scalars are taken as text. */
  readonly isText: (path: Path) => boolean;
  /** Take `<<` as a merge, as YAML 1.1 had it and Compose files use it. */
  readonly merge?: boolean;
  /** Receives the tags of {@link MERGE_TAGS}, which are mistakes without it. */
  readonly tags?: MergeTags;
}

/** Tags by which Compose says what becomes of a value when its file is merged over another. */
export const MERGE_TAGS: ReadonlyMap<string, MergeTag> = new Map([
  ['!reset', 'reset'],
  ['!override', 'override'],
]);
export type MergeTag = 'reset' | 'override';

/** Tags of values by their paths. */
export class MergeTags {
  readonly #tags = new Map<string, MergeTag>();

  set(path: Path, tag: MergeTag): void {
    this.#tags.set(JSON.stringify(path), tag);
  }

  get(path: Path): MergeTag | null {
    return this.#tags.size === 0 ? null : (this.#tags.get(JSON.stringify(path)) ?? null);
  }
}

/** Raised to end a conversion that a limit stopped; the issue is already listed. */
class Stopped extends Error {}

class Converter {
  readonly #context: Context;
  readonly #anchors = new Map<string, Node>();
  #parts = 0;
  #text = 0;
  #merges = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  convert(node: Node | null, path: Path): unknown {
    this.#parts++;
    if (this.#parts > MAX_PARTS) this.#stop(node, TOO_LARGE);
    if (path.length > MAX_DEPTH) this.#stop(node, 'the file is nested too deeply');
    if (node === null) return null;
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (!target) return this.#refuse(node, `the alias *${node.source} has no anchor before it`);
      return this.convert(target, path);
    }
    this.#tag(node, path);
    if ('anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#map(node, path);
    if (isSeq(node)) return this.#list(node, path);
    return isScalar(node) ? this.#scalar(node, path) : null;
  }

  #map(node: YAMLMap, path: Path): Record<string, unknown> {
    const result = this.#context.merge ? this.#merged(node, path) : {};
    const first = new Map<string, SourcePosition>();
    for (const { key, value } of node.items as { key: Node | null; value: Node | null }[]) {
      // A key that is no scalar has been reported as a syntax error.
      if (!isScalar(key)) continue;
      const name = typeof key.value === 'string' ? key.value : (key.source ?? '');
      this.#grow(key, name);
      const keyPosition = this.#at(key);
      const before = first.get(name);
      if (before) this.#refuse(key, `"${name}" is written twice; the first is on line ${before.line}`);
      else if (name === '__proto__') this.#refuse(key, '"__proto__" cannot be a name');
      else if (name === '<<' && this.#context.merge) first.set(name, keyPosition);
      else if (name === '<<') this.#refuse(key, '"<<" merges are not part of YAML 1.2; write the fields out');
      else {
        first.set(name, keyPosition);
        const at = [...path, name];
        this.#context.places.add(at, { key: keyPosition, value: this.#at(value ?? key) });
        result[name] = this.convert(value, at);
      }
    }
    return result;
  }

  /** What `<<` brings in; of several sources the earlier one wins, and the mapping's own keys over all. */
  #merged(node: YAMLMap, path: Path): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const { key, value } of node.items as { key: Node | null; value: Node | null }[]) {
      if (!isScalar(key) || key.value !== '<<') continue;
      this.#merges++;
      if (this.#merges > MAX_DEPTH) this.#stop(key, 'merges are nested too deeply');
      for (const source of isSeq(value) ? [...(value.items as Node[])].reverse() : [value]) {
        const plain = this.convert(source, path);
        if (typeof plain === 'object' && plain !== null && !Array.isArray(plain)) Object.assign(result, plain);
        else this.#refuse(key, '"<<" takes a mapping, or a list of mappings');
      }
      this.#merges--;
    }
    return result;
  }

  #list(node: YAMLSeq, path: Path): unknown[] {
    return node.items.map((entry, index) => {
      const item = entry as Node | null;
      const at = [...path, index];
      const position = this.#at(item ?? node);
      this.#context.places.add(at, { key: position, value: position });
      return this.convert(item, at);
    });
  }

  #scalar(node: Scalar, path: Path): unknown {
    const { value } = node;
    const kind = typeof value;
    if (typeof value === 'string') this.#grow(node, value);
    if ((kind === 'number' || kind === 'boolean') && this.#context.isText(path)) return node.source ?? String(value);
    if (value === null || kind === 'string' || kind === 'number' || kind === 'boolean') return value;
    return this.#refuse(node, `the tag ${node.tag ?? ''} is not supported`);
  }

  #grow(node: Node, text: string): void {
    this.#text += text.length;
    if (this.#text > MAX_TEXT) this.#stop(node, TOO_LARGE);
  }

  #tag(node: Node, path: Path): void {
    const tag = 'tag' in node ? MERGE_TAGS.get(String(node.tag)) : undefined;
    if (tag === undefined) return;
    if (this.#context.tags) this.#context.tags.set(path, tag);
    else this.#refuse(node, `the tag !${tag} is not supported`);
  }

  #at(node: Node): SourcePosition {
    return this.#context.positionAt(node.range?.[0] ?? 0);
  }

  #refuse(node: Node, message: string): null {
    this.#context.issues.push({ code: 'TSD_MANIFEST_SYNTAX', message, position: this.#at(node) });
    return null;
  }

  #stop(node: Node | null, message: string): never {
    if (node) this.#refuse(node, message);
    throw new Stopped(message);
  }
}

/** Plain data of a document. What cannot be converted is null and has an issue. */
export function toPlain(node: Node | null, context: Context): unknown {
  try {
    return new Converter(context).convert(node, []);
  } catch (thrown) {
    if (thrown instanceof Stopped) return null;
    throw thrown;
  }
}
