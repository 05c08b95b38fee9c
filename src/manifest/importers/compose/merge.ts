/** Compose files merged over each other (the Compose specification, "Merge"; the table is that of compose-go). */
import type { Draft } from '../draft.ts';
import type { Part } from '../part.ts';
import { portKey } from './ports.ts';

type Path = readonly string[];
type Members = Map<string, Part>;

/** How two values at a place become one, other than by joining mappings and lists. */
type Rule = (base: Part, over: Part, path: Path, merger: Merger) => Part;

const replace: Rule = (_base, over) => over;

/** Both forms of a list of assignments as a list. */
function sequence(part: Part): readonly Part[] {
  if (part.content.type === 'list') return part.content.items;
  if (part.content.type === 'text') return [part];
  if (part.content.type === 'nothing') return [];
  return [...part.content.members].flatMap(([name, value]) => {
    if (value.tag === 'reset' || value.isNothing) return [value.textAt(name)];
    return value.oneOrMany().map((item) => item.textAt(`${name}=${item.text()}`));
  });
}

/** Names that a mapping of the overriding file takes out. */
function resetNames(part: Part): ReadonlySet<string> {
  if (part.content.type !== 'mapping') return new Set();
  return new Set([...part.content.members].filter(([, value]) => value.tag === 'reset').map(([name]) => name));
}

const nameOf = (part: Part): string => (part.content.type === 'text' ? (part.content.text.split('=')[0] ?? '') : '');

const join: Rule = (base, over) => {
  const reset = resetNames(over);
  const items = [...sequence(base), ...sequence(over)].filter((item) => !reset.has(nameOf(item)));
  return over.with({ type: 'list', items });
};

/** A list of names as a mapping of them. */
function mapping(part: Part): Part {
  if (part.content.type !== 'list') return part;
  const members = part.content.items.map((item) => [item.text(), item.with({ type: 'nothing' }).untagged()] as const);
  return part.with({ type: 'mapping', members: new Map(members) });
}

const joinNames: Rule = (base, over, path, merger) => merger.mappings(mapping(base), mapping(over), path);

const build: Rule = (base, over, path, merger) => {
  const long = (part: Part): Part =>
    part.content.type === 'text'
      ? part.with({ type: 'mapping', members: new Map([['context', part.untagged()]]) })
      : part;
  return merger.mappings(long(base), long(over), path);
};

/** Options belong to their driver. */
const logging: Rule = (base, over, path, merger) => {
  const [before, after] = [base.textOf('driver'), over.textOf('driver')];
  if (before !== undefined && after !== undefined && before !== after) return over;
  return merger.mappings(base, over, path);
};

const ipamConfig: Rule = (base, over, path, merger) => {
  const items = [...sequence(base)];
  for (const item of sequence(over)) {
    const index = items.findIndex((before) => before.textOf('subnet') === item.textOf('subnet'));
    const before = items[index];
    if (before) items[index] = merger.mappings(before, item, path);
    else items.push(item);
  }
  return over.with({ type: 'list', items });
};

const RULES: Readonly<Record<string, Rule>> = {
  'networks.*.ipam.config': ipamConfig,
  'networks.*.labels': join,
  'volumes.*.labels': join,
  'services.*.annotations': join,
  'services.*.build': build,
  'services.*.build.args': join,
  'services.*.build.additional_contexts': join,
  'services.*.build.extra_hosts': join,
  'services.*.build.labels': join,
  'services.*.command': replace,
  'services.*.depends_on': joinNames,
  'services.*.deploy.labels': join,
  'services.*.dns': join,
  'services.*.dns_opt': join,
  'services.*.dns_search': join,
  'services.*.entrypoint': replace,
  'services.*.env_file': join,
  'services.*.label_file': join,
  'services.*.environment': join,
  'services.*.extra_hosts': join,
  'services.*.healthcheck.test': replace,
  'services.*.labels': join,
  'services.*.logging': logging,
  'services.*.models': joinNames,
  'services.*.networks': joinNames,
  'services.*.sysctls': join,
  'services.*.tmpfs': join,
  'services.*.ulimits.*': replace,
};

const target = (short: string): string => short.split(':')[1] ?? short.split(':')[0] ?? '';

const mounted =
  (directory: string) =>
  (part: Part): string => {
    if (part.content.type === 'text') return `${directory}/${part.content.text}`;
    const name = part.textOf('target') ?? part.textOf('source') ?? '';
    return name.startsWith('/') ? name : `${directory}/${name}`;
  };

/** What tells items of a list apart: of those that are the same, the later one counts. */
const KEYS: Readonly<Record<string, (part: Part) => string>> = {
  'services.*.cap_add': nameOf,
  'services.*.cap_drop': nameOf,
  'services.*.devices': (part) =>
    part.content.type === 'text' ? target(part.content.text) : (part.textOf('target') ?? ''),
  'services.*.dns': nameOf,
  'services.*.dns_search': nameOf,
  'services.*.env_file': (part) => (part.content.type === 'text' ? part.content.text : (part.textOf('path') ?? '')),
  'services.*.environment': nameOf,
  'services.*.expose': nameOf,
  'services.*.extra_hosts': (part) => (part.content.type === 'text' ? part.content.text : ''),
  'services.*.labels': nameOf,
  'services.*.links': (part) => (part.content.type === 'text' ? part.content.text : ''),
  'services.*.networks.*.aliases': nameOf,
  'services.*.ports': portKey,
  'services.*.secrets': mounted('/run/secrets'),
  'services.*.configs': mounted(''),
  'services.*.tmpfs': (part) => (part.content.type === 'text' ? target(part.content.text.split(':', 1)[0] ?? '') : ''),
  'services.*.volumes': (part) =>
    part.content.type === 'text' ? target(part.content.text) : (part.textOf('target') ?? ''),
};

/** Sections whose members have names of their own, and below which member it is the same again. */
const NAMED = new Set(['services', 'networks', 'volumes', 'secrets', 'configs', 'models']);
const NAMED_BELOW = new Set(['services.*.networks', 'services.*.ulimits']);

/** The place as the tables write it. */
function placeOf(path: Path): string {
  const [section = '', , ...rest] = path;
  if (!NAMED.has(section) || path.length < 2) return path.join('.');
  const below = `${section}.*${rest[0] === undefined ? '' : `.${rest[0]}`}`;
  const named = NAMED_BELOW.has(below) && rest.length > 1 ? ['*', ...rest.slice(2)] : rest.slice(1);
  return [below, ...named].join('.');
}

export class Merger {
  readonly #draft: Draft;

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  /** @param path of both values; none for whole files */
  merge(base: Part, over: Part, path: Path = []): Part {
    if (over.tag !== null) return over;
    const place = placeOf(path);
    const rule = Object.hasOwn(RULES, place) ? RULES[place] : undefined;
    if (over.isNothing && rule !== replace) return base.content.type === 'text' ? over : base;
    if (base.isNothing) return over;
    if (rule) return rule(base, over, path, this);
    if (base.content.type === 'mapping') return this.mappings(base, over, path);
    if (base.content.type === 'text' && over.content.type === 'text') return over;
    if (base.content.type === 'list' && over.content.type === 'list') {
      return over.with({ type: 'list', items: [...base.content.items, ...over.content.items] });
    }
    return this.#refuse(base, over, path);
  }

  mappings(base: Part, over: Part, path: Path): Part {
    if (base.content.type !== 'mapping' || over.content.type !== 'mapping') return this.#refuse(base, over, path);
    const members: Members = new Map(base.content.members);
    for (const [name, part] of over.content.members) {
      const before = members.get(name);
      members.set(name, before ? this.merge(before, part, [...path, name]) : part);
    }
    return over.with({ type: 'mapping', members });
  }

  #refuse(base: Part, over: Part, path: Path): Part {
    const { file, line } = base.at;
    this.#draft.refuse(
      over.at,
      `${path.join('.')} has another form than on line ${line} of ${file}, and cannot be merged`,
    );
    return over;
  }
}

/** A merged file without tags and what they take away, and with each item of a list once. */
export function settled(part: Part, path: Path = []): Part {
  const { content } = part;
  if (content.type === 'mapping') {
    const kept = [...content.members].filter(([, member]) => member.tag !== 'reset');
    const members = new Map(kept.map(([name, member]) => [name, settled(member, [...path, name])] as const));
    return part.with({ type: 'mapping', members }).untagged();
  }
  if (content.type !== 'list') return part.untagged();
  const items = content.items.filter(({ tag }) => tag !== 'reset').map((item) => settled(item, [...path, '*']));
  const place = placeOf(path);
  const keyOf = Object.hasOwn(KEYS, place) ? KEYS[place] : undefined;
  if (!keyOf) return part.with({ type: 'list', items }).untagged();
  const unique = new Map<string, Part>();
  for (const item of items) unique.set(keyOf(item), item);
  return part.with({ type: 'list', items: [...unique.values()] }).untagged();
}
