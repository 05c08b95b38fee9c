/** A Compose file with variables filled in and `extends` written out: the services that are to run. */
import { resolve } from 'node:path';
import { readYaml } from '../../yaml-text.ts';
import type { Draft, ImportContext } from '../draft.ts';
import { documentParts, type Part } from '../part.ts';
import { parseDotEnv } from './dot-env.ts';
import { interpolate } from './interpolate.ts';

export interface Project {
  readonly services: ReadonlyMap<string, Part>;
  /** Every service of the file, also those that do not run. */
  readonly known: ReadonlySet<string>;
}

/** More than that is a circle. */
const MAX_EXTENDS = 8;

export function textOf(context: ImportContext, path: string): string | null {
  const read = context.readFile(resolve(context.baseDir, path));
  return read.ok ? read.bytes.toString('utf8') : null;
}

/** Variables of `.env` beside the file. The environment of a supervisor is nobody's shell and is not looked at. */
export function variables(context: ImportContext): ReadonlyMap<string, string> {
  const text = textOf(context, '.env');
  return text === null ? new Map() : parseDotEnv(text);
}

/** Sequences that Compose joins when services are merged; all other lists are replaced (specification, "Merge"). */
const JOINED = new Set(
  [
    'volumes ports expose dns dns_search env_file tmpfs cap_add cap_drop devices security_opt external_links extra_hosts'.split(
      ' ',
    ),
    'secrets configs profiles group_add networks'.split(' '),
  ].flat(),
);

function merge(base: Part, over: Part, key: string): Part {
  if (base.content.type === 'mapping' && over.content.type === 'mapping') {
    const members = new Map(base.content.members);
    for (const [name, part] of over.content.members) {
      const before = members.get(name);
      members.set(name, before ? merge(before, part, name) : part);
    }
    return over.with({ type: 'mapping', members });
  }
  const lists = base.content.type === 'list' && over.content.type === 'list';
  if (lists && (JOINED.has(key) || key === 'environment' || key === 'labels')) {
    return over.with({ type: 'list', items: [...base.items(), ...over.items()] });
  }
  return over;
}

/** The first document of another Compose file. */
function otherFile(file: string, context: ImportContext, draft: Draft): Part | null {
  const text = textOf(context, file);
  if (text === null) return null;
  const path = resolve(context.baseDir, file);
  const [first] = documentParts(readYaml(text, path), draft);
  return first ? interpolate(first, variables(context), draft) : null;
}

class Extender {
  readonly #context: ImportContext;
  readonly #draft: Draft;

  constructor(context: ImportContext, draft: Draft) {
    this.#context = context;
    this.#draft = draft;
  }

  /** A service merged over the one it extends. */
  written(service: Part, root: Part, depth = 0): Part {
    const extension = service.get('extends');
    if (!extension || extension.isNothing) return service;
    const short = extension.content.type === 'text';
    const file = short ? undefined : extension.textOf('file');
    const name = short ? extension.text() : (extension.textOf('service') ?? '');
    if (depth > MAX_EXTENDS) return this.#refuse(service, extension, 'extends goes round in a circle');
    const from = file === undefined ? root : otherFile(file, this.#context, this.#draft);
    const base = from?.get('services')?.get(name);
    if (!from || !base) {
      const where = file === undefined ? 'this file' : file;
      return this.#refuse(service, extension, `extends: there is no service ${JSON.stringify(name)} in ${where}`);
    }
    const members = new Map(service.content.type === 'mapping' ? service.content.members : []);
    members.delete('extends');
    const own = service.with({ type: 'mapping', members });
    return merge(this.written(base, from, depth + 1), own, '');
  }

  #refuse(service: Part, extension: Part, message: string): Part {
    this.#draft.refuse(extension.at, message);
    const members = new Map(service.content.type === 'mapping' ? service.content.members : []);
    members.delete('extends');
    return service.with({ type: 'mapping', members });
  }
}

/** Whether a service runs: none of its profiles need be active when it has none. */
function isActive(service: Part, active: ReadonlySet<string>): boolean {
  const profiles = service.get('profiles')?.items() ?? [];
  return profiles.length === 0 || active.has('*') || profiles.some((profile) => active.has(profile.text()));
}

function copies(service: Part): Part | undefined {
  return service.get('scale') ?? service.get('deploy')?.get('replicas');
}

export function readProject(root: Part, context: ImportContext, draft: Draft): Project {
  const values = variables(context);
  const profiles = new Set((values.get('COMPOSE_PROFILES') ?? '').split(',').filter((name) => name !== ''));
  const extender = new Extender(context, draft);
  const services = new Map<string, Part>();
  const all = root.get('services')?.entries() ?? [];
  for (const [name, part] of all) {
    const service = extender.written(part, root);
    if (service.content.type !== 'mapping') {
      draft.refuse(part.at, `service ${name}: expected a mapping`);
      continue;
    }
    const replicas = copies(service);
    if (!isActive(service, profiles)) {
      draft.warn(part.keyAt, `service ${name} is left out: none of its profiles is in COMPOSE_PROFILES of .env`);
    } else if (replicas?.content.type === 'text' && replicas.text() === '0') {
      draft.warn(part.keyAt, `service ${name} is left out: it has 0 replicas`);
    } else services.set(name, service);
  }
  return { services, known: new Set(all.map(([name]) => name)) };
}
