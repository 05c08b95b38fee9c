/** Names of services in environments and command lines of others: where one does not resolve, a warning says so. */
import { type NetworkMode, networkMode } from '../../../model/network-mode.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import type { ResourceDraft } from '../draft.ts';
import { isMode } from '../network-mode.ts';
import type { Placed } from './links.ts';

/** Longer texts are scripts, whose names are not looked for. */
const MAX_TEXT = 4096;

const PATTERNS: readonly RegExp[] = [
  // http://web/, amqp://user:password@queue:5672
  /:\/\/(?:[^\s/@]*@)?([A-Za-z0-9][\w.-]*)/g,
  // db:5432, tcp(db:3306), --wait=db:5432
  /(?:^|[\s,;=@|("'[])([A-Za-z0-9][\w.-]*):\d{1,5}(?![\w.])/g,
  // user@db/name, --host=db
  /(?:@|^-[^=\s]*=)([A-Za-z0-9][\w.-]*)(?=[/)\]]|$)/g,
];

/** Variables whose whole value may be the name of a host. */
const OF_HOST = /HOST|ADDR|URL|URI|SERVER|ENDPOINT|UPSTREAM|BROKER|PEER|NODE|MASTER|BACKEND|PROXY|CONNECT|TARGET/i;

/** What may be a host in a text. @param whole items of the whole text count, too */
function hostCandidates(text: string, whole: boolean): ReadonlySet<string> {
  const found = new Set<string>();
  if (text.length > MAX_TEXT) return found;
  for (const pattern of PATTERNS) for (const match of text.matchAll(pattern)) found.add(match[1] ?? '');
  if (whole) for (const item of text.split(/[,;\s]+/)) found.add(item);
  return found;
}

/** Candidates with the places where they are written. */
function mentions(container: ResourceDraft): readonly (readonly [string, SourcePosition])[] {
  const env = Object.entries((container.get('env') ?? {}) as Record<string, unknown>).flatMap(([name, value]) =>
    typeof value === 'string'
      ? [...hostCandidates(value, OF_HOST.test(name))].map((host) => [host, container.placeOf('env', name)] as const)
      : [],
  );
  const words = ['entrypoint', 'command'].flatMap((field) => {
    const list = container.get(field);
    return (Array.isArray(list) ? list : []).flatMap((word) =>
      typeof word === 'string' && !/\s/.test(word)
        ? [...hostCandidates(word, true)].map((host) => [host, container.placeOf(field)] as const)
        : typeof word === 'string'
          ? [...hostCandidates(word, false)].map((host) => [host, container.placeOf(field)] as const)
          : [],
    );
  });
  return [...env, ...words];
}

/** Names by which containers of a network find each other. */
const resolving = ({ container }: Placed): readonly unknown[] => [
  container.name,
  container.get('containerName'),
  container.get('hostname'),
  ...aliasesOf(container),
];

/** Names on single networks. */
function aliasesOf(container: ResourceDraft): readonly unknown[] {
  const networks = container.get('networks') ?? {};
  if (Array.isArray(networks)) return [];
  const settings = Object.values(networks as Readonly<Record<string, { readonly aliases?: readonly unknown[] }>>);
  return settings.flatMap(({ aliases = [] }) => aliases);
}

/** Names by which Compose lets services reach each other. */
function namesOf(name: string, placed: Placed): readonly string[] {
  const { service } = placed;
  const all = [name, service.textOf('container_name'), service.textOf('hostname')];
  return [...all, ...resolving(placed)].filter((one): one is string => typeof one === 'string');
}

/** Names that links make resolve. */
function linkedNames(container: ResourceDraft): readonly string[] {
  const links = (container.get('links') ?? []) as readonly string[];
  return links.map((link) => link.slice(link.indexOf(':') + 1));
}

export class HostNames {
  readonly #services: ReadonlyMap<string, Placed>;
  readonly #byContainer = new Map<string, Placed>();
  readonly #named = new Map<string, Placed>();

  constructor(services: ReadonlyMap<string, Placed>) {
    this.#services = services;
    for (const placed of services.values()) this.#byContainer.set(placed.container.name, placed);
    for (const [name, placed] of services) {
      for (const known of namesOf(name, placed)) if (!this.#named.has(known)) this.#named.set(known, placed);
    }
  }

  /** Tells of names of other services that do not resolve where they are written. */
  warn(): void {
    for (const placed of this.#services.values()) {
      const noted = new Set(linkedNames(placed.container));
      for (const [host, position] of mentions(placed.container)) {
        const other = this.#named.get(host);
        if (!other || other === placed || noted.has(host)) continue;
        const reason = this.#whyNot(host, placed, other);
        if (reason === null) continue;
        noted.add(host);
        placed.container.warn(position, `${host} does not resolve here: ${reason}`);
      }
    }
  }

  /** The networks whose names a service knows: one that shares another's has the names of that one. */
  #networksOf(placed: Placed): readonly string[] {
    let current: Placed | undefined = placed;
    for (let depth = 0; current && depth < 8; depth++) {
      const { networks }: { networks: readonly string[] } = current.attachment;
      const mode: NetworkMode = networkMode(networks[0] ?? 'none');
      if (mode.type !== 'container') return networks;
      current = this.#byContainer.get(mode.name);
    }
    return ['none'];
  }

  #whyNot(host: string, from: Placed, to: Placed): string | null {
    const [own, other] = [this.#networksOf(from), this.#networksOf(to)];
    const [shown, others] = [own.join(', '), other.join(', ')];
    if (own.every(isMode)) return `with the network ${shown} the names of other containers are not known`;
    if (!own.some((network) => other.includes(network)))
      return `${from.container.name} is on the network ${shown}, and ${to.container.name} on ${others}`;
    if (resolving(to).includes(host)) return null;
    return `the container is called ${to.container.name}; use that name, or list ${host} under links`;
  }
}
