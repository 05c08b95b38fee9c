/** Networks of a Compose file, and which of them each service is on. */
import { isReservedName, sharedNetwork } from '../../../model/network-mode.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import type { Draft, ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import { driverProblem } from '../network-mode.ts';
import type { FieldTable, Part } from '../part.ts';

/** Where a service is on the network. */
export interface Attachment {
  /** Networks; or `host`, `none`, `bridge` or `container:NAME` alone. */
  readonly networks: readonly string[];
  readonly position: SourcePosition;
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

interface Member {
  readonly container: ResourceDraft;
  readonly network: string;
  readonly aliases: string[];
}

const MAX_ALIASES = 64;

const setting =
  (name: string, value: (part: Part) => unknown = (part) => part.text()) =>
  (part: Part, { container, network }: Member): void =>
    container.putIn('networks', network, name, value(part), part.at);

const MEMBER: FieldTable<Member> = {
  aliases: (part, { container, network, aliases }) => {
    for (const item of part.items().slice(0, MAX_ALIASES)) aliases.push(item.text());
    if (part.items().length > MAX_ALIASES) container.refuse(part.at, `more than ${MAX_ALIASES} aliases`);
    container.putIn('networks', network, 'aliases', [...aliases], part.at);
  },
  ipv4_address: setting('ipv4'),
  ipv6_address: setting('ipv6'),
  mac_address: setting('mac'),
  gw_priority: setting('gatewayPriority', (part) => part.number()),
  priority: setting('priority', (part) => part.number()),
  interface_name: setting('interfaceName'),
  link_local_ips: (part, { container }) =>
    container.warn(part.keyAt, 'link_local_ips: an interface has the addresses of its network'),
  driver_opts: 'no meaning: an endpoint has no options of its driver',
};

/** Networks of the file's services, and which of them each service is on. */
export class Networks {
  readonly #root: Part;
  readonly #draft: Draft;

  constructor(root: Part, draft: Draft) {
    this.#root = root;
    this.#draft = draft;
  }

  /** Puts a service on its networks, which are made when they are not there yet. */
  attach(service: Part, container: ResourceDraft): Attachment {
    const mode = service.get('network_mode');
    if (mode && !mode.isNothing) {
      const attachment = this.#mode(mode, container);
      container.set('network', attachment.networks[0], attachment.position);
      return attachment;
    }
    const members = joined(service);
    const [first] = members;
    if (!first) {
      const network = this.#network(DEFAULT, container.position);
      container.set('network', network, container.position);
      return { networks: [network], position: container.position };
    }
    const networks = members.map(([name, part]) => this.#member(name, part, container));
    const position = first[1].keyAt;
    this.#shorten(container, networks, position);
    return { networks, position };
  }

  #member(name: string, part: Part, container: ResourceDraft): string {
    const network = this.#network(name, part.keyAt);
    container.put('networks', network, {}, part.keyAt);
    const member: Member = { container, network, aliases: [] };
    if (part.content.type === 'mapping') part.each(MEMBER, member, container);
    return network;
  }

  /** Networks without settings of their own are written as a list, and a single one as `network`. */
  #shorten(container: ResourceDraft, networks: readonly string[], position: SourcePosition): void {
    const written = (container.get('networks') ?? {}) as Readonly<Record<string, object>>;
    if (Object.values(written).some((settings) => Object.keys(settings).length > 0)) return;
    container.remove('networks');
    if (networks.length === 1) container.set('network', networks[0], position);
    else container.set('networks', [...new Set(networks)], position);
  }

  #mode(mode: Part, container: ResourceDraft): Attachment {
    const at = { position: mode.at };
    const text = mode.text();
    if (text === 'host' || text === 'none' || text === 'bridge') return { networks: [text], ...at };
    const shared = /^(service|container):(.+)$/.exec(text);
    const name = safeName(shared?.[2] ?? '');
    if (shared && name !== null) return { networks: [sharedNetwork(name)], ...at };
    container.refuse(mode.at, `network_mode ${JSON.stringify(text)} cannot be translated`);
    return { networks: ['none'], ...at };
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
