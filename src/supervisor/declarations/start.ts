/** Brings history.db and the second copies of declarations to agree, before anything is made of what they say. */
import type { DesiredState } from '../../model/desired.ts';
import { isImperative } from '../../model/imperative/request.ts';
import { networkMode } from '../../model/network-mode.ts';
import { parseKey } from '../../model/resource.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { Declaration, Made } from '../../state/databases/declaration.ts';
import type { DeclarationCopies } from '../../state/databases/declaration-copies.ts';
import type { History } from '../../state/history/history.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import { ownerByName } from '../sources/source-set.ts';
import { declarationsOf, encoded, generationOf, type StoredGeneration } from './declarations.ts';
import { judge, type RecordedContainer, type Verdict } from './verdict.ts';

export interface DeclarationStores {
  readonly history: History;
  readonly declarations: DeclarationCopies;
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly volumes: Pick<VolumeStore, 'all'>;
}

/** What a generation is stored as; null where it is not kept. */
export function storedGeneration(history: History, n: number): StoredGeneration | null {
  const generation = history.generations.get(n);
  if (generation === null) return null;
  const texts = history.sources.ofGeneration(n).map(({ kind, origin, baseDir, text }) => {
    return { kind, origin, baseDir, text };
  });
  return { texts, pins: generation.pins, contents: history.contents.of(n) ?? {} };
}

function madeOf({ resources }: History, app: string): Made {
  const own = ({ key }: { readonly key: string }) => key.split('/')[1] === app;
  return { networks: resources.networks().filter(own), images: resources.images().filter(own) };
}

function recorded(containers: DeclarationStores['containers']): RecordedContainer[] {
  return containers.all().flatMap(({ owner, imageId, network }) => {
    // What a client made is declared by its record.
    if (owner === null || isImperative(owner.key)) return [];
    const { key, specHash, generation } = owner;
    const { image, network: mode } = containerSpecOf(owner);
    const isDeclared = networkMode(mode).type === 'network';
    return [{ key, specHash, generation, imageId, image, bridge: isDeclared ? (network?.bridge ?? null) : null }];
  });
}

type StateOf = (n: number) => DesiredState | null;

/** @param stateOf asked only where a copy is missing or says otherwise: to make out what was declared takes its time */
function storeOf({ history, declarations }: DeclarationStores, stateOf: StateOf) {
  const n = history.generations.currentNumber();
  const stored = storedGeneration(history, n);
  if (stored === null) return null;
  const copies = declarations.all();
  const bare = declarationsOf(stored, { resources: new Map() }, ownerByName);
  const same = (declaration: Declaration): Declaration | null => {
    const copy = copies.get(declaration.app)?.declaration;
    const asCopied = { ...declaration, specs: copy?.specs ?? {} };
    return copy && encoded(asCopied) === encoded(copy) ? copy : null;
  };
  const copied = [...bare.values()].flatMap((declaration) => same(declaration) ?? []);
  if (copied.length === bare.size) return { generation: n, apps: new Map(copied.map((one) => [one.app, one])) };
  const declared = declarationsOf(stored, stateOf(n) ?? { resources: new Map() }, ownerByName);
  return { generation: n, apps: new Map([...declared, ...copied.map((one) => [one.app, one] as const)]) };
}

const CAUSES = {
  rebuilt: 'rebuilt from the second copies of declarations, because history.db',
  older: 'taken over from a history.db that is older than the second copies of declarations',
} as const;

/** Saves a generation of these apps under its own number. Inside a durable change. */
export function appendGeneration(
  history: History,
  { texts, pins, contents }: StoredGeneration,
  { n, cause, nowMs }: { readonly n: number; readonly cause: string; readonly nowMs: number },
): void {
  const revisions = texts.map((text) => history.sources.record(text, nowMs).id);
  const changes = { files: [], resources: [] };
  history.generations.append({ createdAtMs: nowMs, cause, pins, changes }, revisions, n);
  history.contents.set(n, contents);
}

function takeOver(
  { history, declarations }: DeclarationStores,
  verdict: Extract<Verdict, { generation: number }>,
  loss: string,
  nowMs: number,
): void {
  const { generation: n, kept, holds } = verdict;
  const cause = verdict.verdict === 'rebuilt' ? `${CAUSES.rebuilt} ${loss}` : CAUSES.older;
  history.durable(() => {
    appendGeneration(history, generationOf(kept, n), { n, cause, nowMs });
    for (const hold of holds) history.holds.add(hold);
    if (verdict.verdict === 'older') return;
    // What waits needs its networks and images as well: they are in use.
    for (const app of new Set([...kept, ...holds].map((one) => one.app))) {
      const made = declarations.made(app);
      for (const network of made?.networks ?? []) history.resources.setNetwork(network);
      for (const image of made?.images ?? []) history.resources.setImage(image);
    }
  });
}

/** Makes the copies say what the store does. */
function copyStore({ history, declarations }: DeclarationStores, apps: ReadonlyMap<string, Declaration>): void {
  const held = new Set(history.holds.all().keys());
  const json = new Map([...apps].map(([app, declaration]) => [app, encoded(declaration)]));
  declarations.stage(json, history.generations.currentNumber(), held).publish();
  for (const app of apps.keys()) declarations.setMade(app, madeOf(history, app));
}

export interface StartReport {
  readonly verdict: Verdict['verdict'];
  readonly kept: readonly string[];
  readonly held: readonly string[];
}

/**
 * @param stateOf the desired state of a generation, by what is stored of it
 * @returns null where there is nothing to say
 * @throws TsdError where the disk fails; nothing may be done then
 */
export function settleDeclarations(stores: DeclarationStores, stateOf: StateOf, nowMs: number): StartReport | null {
  const { history, declarations, containers, volumes } = stores;
  const store = storeOf(stores, stateOf);
  const loss = history.loss ?? 'knows no generation';
  const verdict = judge({
    store,
    loss,
    copies: declarations.all(),
    unread: new Set(declarations.unread().keys()),
    highest: declarations.highest(),
    made: (app) => (store === null ? declarations.made(app) : madeOf(history, app)),
    containers: recorded(containers),
    volumes: new Set(
      volumes.all().flatMap(({ owner, released }) => {
        return owner.type === 'named' && !released && !isImperative(owner.key) ? [parseKey(owner.key).app] : [];
      }),
    ),
    held: new Set(history.holds.all().keys()),
  });
  const isNew = store === null && verdict.verdict === 'rebuilt' && verdict.kept.length + verdict.holds.length === 0;
  if (verdict.verdict !== 'store' && !(isNew && declarations.highest() === null)) {
    takeOver(stores, verdict, loss, nowMs);
    copyStore(stores, storeOf(stores, stateOf)?.apps ?? new Map());
    return {
      verdict: verdict.verdict,
      kept: verdict.kept.map(({ app }) => app),
      held: verdict.holds.map(({ app }) => app),
    };
  }
  copyStore(stores, store?.apps ?? new Map());
  return null;
}

/** One line for the log and the list of generations. */
export function describeSettled({ verdict, kept, held }: StartReport): string {
  const what =
    verdict === 'rebuilt'
      ? 'the declarations are rebuilt from their second copies'
      : 'history.db is older than the second copies of declarations';
  const waits = held.length === 0 ? '' : `; held until \`tsdocker approve\`: ${held.join(', ')}`;
  return `${what}; in force: ${kept.join(', ') || 'nothing'}${waits}`;
}

/** True when what is on the disk says that there was a history.db. */
export function hasHistory({ declarations, containers, volumes }: Omit<DeclarationStores, 'history'>): boolean {
  if (declarations.highest() !== null || declarations.unread().size > 0) return true;
  return (
    containers.all().some(({ owner }) => owner !== null) ||
    volumes.all().some(({ owner, released }) => owner.type === 'named' && !released)
  );
}

/** Keeps the resources of each app beside its copy, shortly after a change. */
export function copyMade({ history, declarations }: Pick<DeclarationStores, 'history' | 'declarations'>): void {
  const dirty = new Set<string>();
  history.resources.watch((key) => {
    const app = key.split('/')[1] ?? '';
    if (app === '') return;
    if (dirty.size === 0)
      setImmediate(() => {
        for (const one of dirty) declarations.setMade(one, madeOf(history, one));
        dirty.clear();
      });
    dirty.add(app);
  });
}
