/**
 * What a start makes of history.db and the second copies of what it declares. Pure. The store wins where it was read and is not
 * older; an app of which the two say different things, or one that only the older of them knows, waits for a person.
 */
import { largest } from '../../model/lists.ts';
import { parseKey, type ResourceKey, resourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { Candidate, DatedDeclaration, Declaration, HeldApp, Made } from '../../state/databases/declaration.ts';

/** A container as its record has it, which was read. */
export interface RecordedContainer {
  readonly key: ResourceKey;
  readonly specHash: string;
  /** In which it was made or changed last. */
  readonly generation: number;
  readonly imageId: string;
  /** Image it is made from, by the name its manifest gives it. */
  readonly image: string;
  /** Bridge of a declared network it is attached to; null for none. */
  readonly bridge: string | null;
}

export interface Findings {
  /** Null where the store knows no generation. */
  readonly store: { readonly generation: number; readonly apps: ReadonlyMap<string, Declaration> } | null;
  /** What happened to history.db, as `is missing`. */
  readonly loss: string;
  readonly copies: ReadonlyMap<string, DatedDeclaration>;
  /** Apps whose copy could not be read. */
  readonly unread: ReadonlySet<string>;
  /** The highest generation that a copy, or the going of one, was written in. */
  readonly highest: number | null;
  /** What was made of an app: as the store knows it, where there is one, or its copy. */
  readonly made: (app: string) => Made | null;
  readonly containers: readonly RecordedContainer[];
  /** Apps that own volumes which are in use. */
  readonly volumes: ReadonlySet<string>;
  /** Apps that wait already. */
  readonly held: ReadonlySet<string>;
}

export type Verdict =
  /** What the store says holds, and the copies are made to say the same. */
  | { readonly verdict: 'store' }
  /** A generation takes the place of the newest of the store: with the apps that are certain, and without those that wait. */
  | {
      readonly verdict: 'rebuilt' | 'older';
      readonly generation: number;
      readonly kept: readonly Declaration[];
      readonly holds: readonly HeldApp[];
    };

const short = (sha256: string): string => sha256.slice(0, 8);

function copySays({ generation, sha256 }: DatedDeclaration): string {
  return `its second copy of generation ${generation} (${short(sha256)})`;
}

/** Why what was made of an app is not what is known of it; null where it is. */
function doubt(app: string, declaration: Declaration, findings: Findings, since: number): string | null {
  const made = findings.made(app);
  for (const { key, specHash, generation, imageId, image, bridge } of findings.containers) {
    if (parseKey(key).app !== app) continue;
    if (baseKey(key) !== key) return `${key} was in the middle of an update`;
    const declared = declaration.specs[key];
    if (declared !== undefined && declared !== specHash && generation > since)
      return `${key} was made from a later declaration, of generation ${generation}`;
    if (bridge !== null && !isKnownBridge(findings, app, bridge)) return `the network of ${key} is not known any more`;
    if (declared !== specHash) continue;
    const imageKey = imageKeyOf(app, image);
    const source = parseKey(imageKey).app === app ? made : findings.made(parseKey(imageKey).app);
    const binding = source?.images.find((one) => one.key === imageKey);
    const isDeclared = imageKey in declaration.specs || binding !== undefined;
    if (isDeclared && binding?.imageId !== imageId) return `the image of ${key} is not the one that is known`;
  }
  return null;
}

function imageKeyOf(app: string, image: string): ResourceKey {
  const slash = image.indexOf('/');
  return slash < 0
    ? resourceKey('image', app, image)
    : resourceKey('image', image.slice(0, slash), image.slice(slash + 1));
}

function isKnownBridge({ made, copies, store }: Findings, app: string, bridge: string): boolean {
  const has = (of: string) => made(of)?.networks.some((network) => network.interfaceName === bridge) === true;
  return has(app) || [...new Set([...copies.keys(), ...(store?.apps.keys() ?? [])])].some(has);
}

const held = (app: string, reason: string, strict: boolean, candidates: readonly Candidate[]): HeldApp => {
  return { app, reason, strict, candidates };
};

const NOTHING: Candidate = {
  name: 'none',
  declaration: null,
  says: 'nothing but the files of the watched directory declares it',
};

function fromStore(declaration: Declaration | null, generation: number): Candidate {
  const says = declaration
    ? `as history.db of generation ${generation} declares it`
    : `as history.db of generation ${generation}, which does not declare it`;
  return { name: 'store', declaration, says };
}

function fromCopy(copy: DatedDeclaration): Candidate {
  return { name: 'copy', declaration: copy.declaration, says: `as ${copySays(copy)} declares it` };
}

/** @param highest more than the store's generation */
function judgeOlder(findings: Findings, store: NonNullable<Findings['store']>, highest: number): Verdict {
  const kept: Declaration[] = [];
  const holds: HeldApp[] = [];
  const older = `history.db is of generation ${store.generation}, and of an earlier time than`;
  for (const app of new Set([...store.apps.keys(), ...findings.copies.keys()])) {
    if (findings.held.has(app)) continue;
    const [declared, copy] = [store.apps.get(app) ?? null, findings.copies.get(app)];
    const inStore = fromStore(declared, store.generation);
    if (copy && copy.generation > store.generation) {
      const doubted = declared && doubt(app, copy.declaration, findings, copy.generation);
      const strict = copy.declaration.pin !== null || doubted !== null;
      holds.push(held(app, `${older} ${copySays(copy)}`, strict, [inStore, fromCopy(copy)]));
    } else if (declared && !copy && !findings.unread.has(app)) {
      const gone: Candidate = {
        name: 'copy',
        declaration: null,
        says: 'not declared, as it has no second copy any more',
      };
      const reason = `${older} generation ${highest}; ${app} has no second copy any more: it was removed meanwhile`;
      holds.push(held(app, reason, false, [inStore, gone]));
    } else if (declared) {
      const why = doubt(app, declared, findings, copy?.generation ?? store.generation);
      if (why === null) kept.push(declared);
      else holds.push(held(app, `${older} generation ${highest}: ${why}`, true, [inStore, NOTHING]));
    }
  }
  return { verdict: 'older', generation: highest + 1, kept, holds };
}

function judgeLost(findings: Findings): Verdict {
  const { copies, containers, volumes, unread, loss } = findings;
  const lost = `history.db ${loss}`;
  const kept: Declaration[] = [];
  const holds: HeldApp[] = [];
  for (const [app, copy] of copies) {
    const why = doubt(app, copy.declaration, findings, copy.generation);
    if (why === null) kept.push(copy.declaration);
    else holds.push(held(app, `${lost}, and ${why}`, true, [fromCopy(copy), NOTHING]));
  }
  const owners = containers.map(({ key }) => parseKey(key).app);
  for (const app of new Set([...owners, ...volumes, ...unread])) {
    if (copies.has(app)) continue;
    const what = unread.has(app)
      ? 'the second copy of its declaration cannot be read'
      : 'there is no second copy of its declaration';
    holds.push(held(app, `${lost}, and ${what}`, true, [NOTHING]));
  }
  const known = [findings.highest ?? 0, ...containers.map(({ generation }) => generation)];
  return { verdict: 'rebuilt', generation: largest(known) + 1, kept, holds };
}

export function judge(findings: Findings): Verdict {
  const { store, highest } = findings;
  if (store === null) return judgeLost(findings);
  return highest !== null && highest > store.generation ? judgeOlder(findings, store, highest) : { verdict: 'store' };
}
