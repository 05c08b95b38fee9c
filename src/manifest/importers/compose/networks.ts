/**
 * Networks of a Compose file. Ours has one network for each container, so networks that share a service become one: the
 * app continues working, with less isolation, and says so.
 */
import { isReservedName, sharedNetwork } from '../../../model/network-mode.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import type { Draft, ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import { driverProblem } from '../network-mode.ts';
import type { FieldTable, Part } from '../part.ts';

/** Where a service is on the network. */
export interface Attachment {
  /** `host`, `none`, `bridge`, `container:NAME`, or a network. */
  readonly network: string;
  readonly position: SourcePosition;
  readonly aliases: readonly string[];
}

const DEFAULT = 'default';

const IPAM: FieldTable<ResourceDraft> = {
  driver: (part, network) => {
    if (part.text() !== 'default') network.warn(part.keyAt, 'ipam.driver: addresses are given out by tsdocker');
  },
  config: (part, network) => {
    const [first, ...more] = part.items();
    first?.each(IPAM_CONFIG, network, network);
    for (const other of more) network.warn(other.at, 'a network has one subnet; this one is left out');
  },
  options: 'no meaning: addresses are given out by tsdocker',
};

const IPAM_CONFIG: FieldTable<ResourceDraft> = {
  subnet: (part, network) => {
    if (part.text().includes(':')) network.later(part.keyAt, 'an IPv6 subnet');
    else network.set('subnet', part.text(), part.at);
  },
  gateway: (part, network) => network.set('gateway', part.text(), part.at),
  ip_range: 'later',
  aux_addresses: 'later',
};

const DRIVER_OPTIONS: FieldTable<ResourceDraft> = {
  'com.docker.network.bridge.name': (part, network) => network.set('bridgeName', part.text(), part.at),
  'com.docker.network.driver.mtu': (part, network) => network.set('mtu', part.number(), part.at),
  'com.docker.network.bridge.enable_icc': (part, network) => network.set('icc', part.boolean(), part.at),
  'com.docker.network.bridge.enable_ip_masquerade': (part, network) =>
    network.set('masquerade', part.boolean(), part.at),
};

const NETWORK: FieldTable<ResourceDraft> = {
  driver: (part, network) => {
    const message = driverProblem(part.text());
    if (message !== null) network.refuse(part.at, message);
    else if (part.text() === 'overlay') network.warn(part.keyAt, 'driver overlay: there is one host; it is a bridge');
  },
  driver_opts: (part, network) => part.each(DRIVER_OPTIONS, network, network),
  ipam: (part, network) => part.each(IPAM, network, network),
  internal: (part, network) => network.set('internal', part.boolean(), part.at),
  external: (part, network) => {
    if (part.content.type === 'mapping' || part.boolean()) {
      network.warn(
        part.keyAt,
        'external: a network of this name is made for this app; one of another app is `app/name`',
      );
    }
  },
  labels: (part, network) => {
    for (const [name, value, at] of pairs(part)) network.put('labels', name, value, at);
  },
  name: 'no meaning: the name is the key, within its app',
  attachable: 'no meaning: every container of the app may join',
  enable_ipv6: 'later',
  enable_ipv4: 'no meaning: networks have IPv4 addresses',
};

/** `NAME=value` items of a list, or a mapping. A name alone has an empty value. */
export function pairs(part: Part): (readonly [name: string, value: string, at: SourcePosition])[] {
  if (part.content.type === 'mapping') {
    return part.entries().map(([name, value]) => [name, value.isNothing ? '' : value.text(), value.keyAt] as const);
  }
  return part.items().map((item) => {
    const text = item.text();
    const equals = text.indexOf('=');
    return equals < 0
      ? ([text, '', item.at] as const)
      : ([text.slice(0, equals), text.slice(equals + 1), item.at] as const);
  });
}

/** Names of the networks of a service with their own fields, in order. */
function joined(service: Part): (readonly [string, Part])[] {
  const networks = service.get('networks');
  if (!networks || networks.isNothing) return [];
  if (networks.content.type === 'list') return networks.items().map((item) => [item.text(), item] as const);
  return [...networks.entries()];
}

/** Sets of names that belong together. */
class Groups {
  readonly #parent = new Map<string, string>();

  find(name: string): string {
    let root = name;
    for (let next = this.#parent.get(root); next !== undefined && next !== root; next = this.#parent.get(root))
      root = next;
    if (root !== name) this.#parent.set(name, root);
    return root;
  }

  join(first: string, second: string): void {
    this.#parent.set(this.find(second), this.find(first));
  }
}

interface Member {
  readonly container: ResourceDraft;
  readonly aliases: string[];
  /** The network that the others were joined to: addresses are of that one. */
  readonly isMain: boolean;
}

/** Every service that depends on another has a link for each of its aliases. */
const MAX_ALIASES = 64;

const MEMBER: FieldTable<Member> = {
  aliases: (part, { container, aliases }) => {
    for (const item of part.items().slice(0, MAX_ALIASES - aliases.length)) aliases.push(item.text());
    if (part.items().length > MAX_ALIASES) container.refuse(part.at, `more than ${MAX_ALIASES} aliases`);
  },
  ipv4_address: (part, { container, isMain }) => {
    if (isMain) container.set('address', part.text(), part.at);
    else container.warn(part.keyAt, `ipv4_address ${part.text()} is left out with the network it is of`);
  },
  ipv6_address: 'later',
  link_local_ips: 'later',
  mac_address: 'later',
  driver_opts: 'no meaning: networks are bridges in this version',
  gw_priority: 'no meaning: a container has one network in this version',
  priority: 'no meaning: a container has one network in this version',
  interface_name: 'later',
};

/** Networks of the file's services, and which of them each service is on. */
export class Networks {
  readonly #root: Part;
  readonly #draft: Draft;
  readonly #groups = new Groups();

  constructor(root: Part, services: ReadonlyMap<string, Part>, draft: Draft) {
    this.#root = root;
    this.#draft = draft;
    for (const [name, service] of services) {
      const [first, ...more] = joined(service);
      for (const [other, part] of more) if (first) this.#join(first[0], other, part, name);
    }
  }

  /** Makes one network of two, unless that would open one that is closed. */
  #join(first: string, second: string, part: Part, service: string): void {
    const [closed, open] = this.#isInternal(first) ? [first, second] : [second, first];
    if (this.#isInternal(closed) && !this.#isInternal(open)) {
      const message = `${service} is on ${closed}, which is internal, and on ${open}: a container has one network in this version`;
      this.#draft.refuse(part.keyAt, `${message}, and as one network ${closed} would not be isolated`);
      return;
    }
    this.#groups.join(first, second);
    const declared = this.#root.get('networks')?.get(second);
    const lost = declared?.content.type === 'mapping' && declared.content.members.size > 0;
    const message = `a container has one network in this version: ${first} and ${second} become one, for ${service}`;
    this.#draft.warn(part.keyAt, `${message}${lost ? `; what ${second} says of itself is left out` : ''}`);
  }

  #isInternal(name: string): boolean {
    return this.#root.get('networks')?.get(name)?.get('internal')?.boolean() === true;
  }

  /** The network a service is on, made when it is not there yet. */
  attach(service: Part, container: ResourceDraft): Attachment {
    const mode = service.get('network_mode');
    if (mode && !mode.isNothing) return this.#mode(mode, container);
    const members = joined(service);
    const aliases: string[] = [];
    const name = this.#groups.find(members[0]?.[0] ?? DEFAULT);
    for (const [own, part] of members) {
      if (part.content.type === 'mapping') part.each(MEMBER, { container, aliases, isMain: own === name }, container);
    }
    const position = members[0]?.[1].keyAt ?? container.position;
    return { network: this.#network(name, position), position, aliases };
  }

  #mode(mode: Part, container: ResourceDraft): Attachment {
    const at = { position: mode.at, aliases: [] };
    const text = mode.text();
    if (text === 'host' || text === 'none' || text === 'bridge') return { network: text, ...at };
    const shared = /^(service|container):(.+)$/.exec(text);
    const name = safeName(shared?.[2] ?? '');
    if (shared && name !== null) return { network: sharedNetwork(name), ...at };
    container.refuse(mode.at, `network_mode ${JSON.stringify(text)} cannot be translated`);
    return { network: 'none', ...at };
  }

  #network(name: string, position: SourcePosition): string {
    const declared = this.#root.get('networks')?.get(name);
    const written = safeName(name) ?? DEFAULT;
    // These words are modes.
    const own = isReservedName(written) ? `${written}-network` : written;
    if (this.#draft.find('networks', own)) return own;
    if (!declared && name !== DEFAULT) this.#draft.refuse(position, `there is no network ${JSON.stringify(name)}`);
    const network = this.#draft.resource('networks', own, declared?.keyAt ?? position);
    if (declared && !declared.isNothing) declared.each(NETWORK, network, network);
    return own;
  }
}
