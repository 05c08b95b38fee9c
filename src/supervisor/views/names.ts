/** What people type for a resource: `name`, `app/name`, an engine name or the beginning of an id. */
import { TsdError } from '../../model/errors/errors.ts';
import { type Kind, parseKey, type ResourceKey } from '../../model/resource.ts';
import { closest } from '../../model/text/suggest.ts';

/** A resource as it can be named. */
export interface Nameable {
  readonly key: ResourceKey;
  readonly engineName?: string;
  readonly id?: string;
}

/** Shortest beginning of an id that is taken for one. */
const MIN_ID_PREFIX = 4;

/** Without taking keys apart, which all commands would have to do with those of a thousand containers. */
function matches({ key, engineName }: Nameable, text: string): boolean {
  // Neither name nor app has a slash: `/name` and `/app/name` are ends of no other key.
  return key.endsWith(`/${text}`) || text === engineName || text === key;
}

const isOfKind = ({ key }: Nameable, kind: Kind): boolean => key.startsWith(`${kind}/`);

/** @throws TsdError TSD_NO_SUCH_RESOURCE, or TSD_AMBIGUOUS_NAME naming the apps. */
export function resolveName(kind: Kind, text: string, candidates: readonly Nameable[]): ResourceKey {
  const ofKind = candidates.filter((candidate) => isOfKind(candidate, kind));
  const byName = ofKind.filter((candidate) => matches(candidate, text));
  const byId = text.length < MIN_ID_PREFIX ? [] : ofKind.filter(({ id }) => id?.startsWith(text) === true);
  const found = [...new Set((byName.length > 0 ? byName : byId).map(({ key }) => key))];
  const [only, ...more] = found;
  if (only === undefined) {
    throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no ${kind} ${text}`, {
      hint: others(text, candidates) ?? `\`tsdocker get ${kind}s\` lists what exists.`,
    });
  }
  if (more.length === 0) return only;
  const names = found.map((key) => `${parseKey(key).app}/${parseKey(key).name}`).join(', ');
  throw new TsdError('TSD_AMBIGUOUS_NAME', `${text} is not unique: ${names}`, { hint: 'Write app/name.' });
}

/** What the two containers of an update are called beside the name that both had or get. */
const BESIDE = /\.(?:next|old)$/;

/** The containers of an app as APP/NAME. @throws TsdError TSD_NO_SUCH_RESOURCE when it has none */
export function membersOf(app: string, candidates: readonly Nameable[]): readonly string[] {
  const names = new Set<string>();
  const apps = new Set<string>();
  for (const { key } of candidates.filter((candidate) => isOfKind(candidate, 'container'))) {
    const of = parseKey(key);
    apps.add(of.app);
    // A successor is asked with the container that it succeeds.
    if (of.app === app && !BESIDE.test(of.name)) names.add(`${of.app}/${of.name}`);
  }
  if (names.size > 0) return [...names];
  const meant = closest(app, [...apps]);
  throw new TsdError('TSD_NO_SUCH_RESOURCE', `no app ${app} has containers`, {
    hint: `${meant === undefined ? '' : `Did you mean ${meant}/? `}\`tsdocker get containers\` lists what exists.`,
  });
}

/** As {@link resolveName}; a successor or predecessor that is gone means the container that it belonged to. */
export function resolvePast(kind: Kind, text: string, candidates: readonly Nameable[]): ResourceKey {
  const exists = candidates.some((candidate) => isOfKind(candidate, kind) && matches(candidate, text));
  const beside = kind === 'container' && !exists && BESIDE.test(text);
  return resolveName(kind, beside ? text.replace(BESIDE, '') : text, candidates);
}

/** How to name what has the name and is of another kind; null when there is nothing. */
function others(text: string, candidates: readonly Nameable[]): string | null {
  const keys = new Set(candidates.filter((candidate) => matches(candidate, text)).map(({ key }) => key));
  return keys.size === 0 ? null : `There is ${[...keys].join(', ')}: name it so.`;
}
