/** A loaded Compose project with `extends` written out: the services that are to run. */
import type { Draft } from '../draft.ts';
import type { Part } from '../part.ts';
import type { LoadedProject } from './loader.ts';
import { Merger, settled } from './merge.ts';

export interface Project {
  readonly services: ReadonlyMap<string, Part>;
  /** Every service of the file, also those that do not run. */
  readonly known: ReadonlySet<string>;
}

/** More than that is a circle. */
const MAX_EXTENDS = 8;
/** Parts of all services that extend others: a large one that many extend would grow without bound. */
const MAX_EXTENDED_PARTS = 50_000;

function sizeOf({ content }: Part): number {
  const inner =
    content.type === 'mapping' ? [...content.members.values()] : content.type === 'list' ? content.items : [];
  return inner.reduce((size, part) => size + sizeOf(part), 1);
}

class Extender {
  readonly #project: LoadedProject;
  readonly #draft: Draft;
  readonly #merger: Merger;
  #parts = 0;

  constructor(project: LoadedProject, draft: Draft) {
    this.#project = project;
    this.#draft = draft;
    this.#merger = new Merger(draft);
  }

  /** A service merged over the one it extends. */
  written(service: Part, root: Part, depth = 0): Part {
    const extension = service.get('extends');
    if (!extension || extension.isNothing) return service;
    const short = extension.content.type === 'text';
    const file = short ? undefined : extension.textOf('file');
    const name = short ? extension.text() : (extension.textOf('service') ?? '');
    if (this.#parts > MAX_EXTENDED_PARTS)
      return this.#refuse(service, extension, 'the file grows too large when extends is written out');
    if (depth > MAX_EXTENDS) return this.#refuse(service, extension, 'extends goes round in a circle');
    const { loader, values } = this.#project;
    const from = file === undefined ? root : loader.extended(file, extension, values);
    // An issue says already why it cannot be read.
    if (from === null) return this.#without(service);
    const base = from?.get('services')?.get(name);
    if (!base) {
      const where = file === undefined ? 'this file' : file;
      return this.#refuse(service, extension, `extends: there is no service ${JSON.stringify(name)} in ${where}`);
    }
    const path = ['services', name];
    const merged = this.#merger.merge(this.written(base, from, depth + 1), this.#without(service), path);
    this.#parts += sizeOf(merged);
    return settled(merged, path);
  }

  #refuse(service: Part, extension: Part, message: string): Part {
    this.#draft.refuse(extension.at, message);
    return this.#without(service);
  }

  #without(service: Part): Part {
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

export function readProject(project: LoadedProject, draft: Draft): Project {
  const { root, values } = project;
  const profiles = new Set((values.get('COMPOSE_PROFILES') ?? '').split(',').filter((name) => name !== ''));
  const extender = new Extender(project, draft);
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
