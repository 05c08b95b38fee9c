/** The networks that each service of a Compose file is on. */
import { isReservedName, sharedNetwork } from '../../../model/network-mode.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import type { Draft, ResourceDraft } from '../draft.ts';
import { safeName } from '../names.ts';
import { isMode } from '../network-mode.ts';
import type { FieldTable, Part } from '../part.ts';
import { externalNetwork, hostBinding, readNetwork } from './network.ts';
import { bindPorts } from './ports.ts';

/** Where a service is on the network. */
export interface Attachment {
  /** Networks; or `host`, `none`, `bridge` or `container:NAME` alone. */
  readonly networks: readonly string[];
  readonly position: SourcePosition;
}

const DEFAULT = 'default';

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

const ENDPOINT_OPTIONS: FieldTable<Member> = {
  'com.docker.network.endpoint.ifname': setting('interfaceName'),
  // `net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0`
  'com.docker.network.endpoint.sysctls': setting('sysctls', (part) =>
    Object.fromEntries(
      part
        .text()
        .split(',')
        .map((written) => {
          const [name = '', ...value] = written.split('=');
          return [name.trim(), value.join('=').trim()];
        }),
    ),
  ),
};

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
  link_local_ips: (part, { container }) => {
    if (part.items().length === 0) return;
    container.refuse(part.keyAt, 'link_local_ips: an interface has the addresses of its network and no others');
  },
  driver_opts: (part, member) => part.each(ENDPOINT_OPTIONS, member, member.container),
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
    const mac = service.get('mac_address');
    const attachment = mode && !mode.isNothing ? this.#mode(mode, container) : this.#join(service, container);
    if (mac && !mac.isNothing) this.#address(mac, attachment, container);
    return attachment;
  }

  #join(service: Part, container: ResourceDraft): Attachment {
    const members = joined(service);
    const [first] = members;
    if (!first) return this.#alone(this.#network(DEFAULT, container.position), container.position, container);
    const networks = members.map(([name, part]) => this.#member(name, part, container));
    const position = first[1].keyAt;
    const mode = networks.find(isMode);
    if (mode !== undefined) {
      if (networks.length > 1) container.refuse(position, `${mode} cannot be combined with other networks`);
      container.remove('networks');
      return this.#alone(mode, position, container);
    }
    this.#shorten(container, networks, position);
    this.#bindPorts(
      members.map(([name]) => name),
      container,
    );
    return { networks, position };
  }

  #alone(network: string, position: SourcePosition, container: ResourceDraft): Attachment {
    container.set('network', network, position);
    if (!isMode(network)) this.#bindPorts([DEFAULT], container);
    return { networks: [network], position };
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

  /** The address of a service without a network is that on the first of its networks. */
  #address(mac: Part, { networks }: Attachment, container: ResourceDraft): void {
    if (networks.some(isMode)) {
      container.warn(mac.keyAt, `mac_address has no meaning with the network ${networks[0]}`);
      return;
    }
    const written = container.get('networks');
    const settings = (Array.isArray(written) || !written ? {} : written) as Record<string, Record<string, unknown>>;
    const priority = (name: string): number => Number(settings[name]?.priority ?? 0);
    const [first = DEFAULT] = [...networks].sort((a, b) => priority(b) - priority(a) || (a < b ? -1 : 1));
    const known = settings[first]?.mac;
    if (known !== undefined) {
      if (known !== mac.text()) container.refuse(mac.at, `mac_address: the network ${first} gives ${String(known)}`);
      return;
    }
    if (Object.keys(settings).length === 0) {
      container.remove('networks');
      container.remove('network');
      for (const name of networks) container.put('networks', name, {}, mac.keyAt);
    }
    container.putIn('networks', first, 'mac', mac.text(), mac.at);
  }

  /** Ports that name no address of the host get that of the networks. */
  #bindPorts(names: readonly string[], container: ResourceDraft): void {
    const bindings = names.flatMap((name) => hostBinding(this.#root.get('networks')?.get(name)) ?? []);
    const [first, other] = new Map(bindings.map((binding) => [binding.text, binding])).values();
    if (first) bindPorts(first.text, container);
    if (first && other && container.get('ports') !== undefined) {
      container.refuse(other.at, `ports are published at ${first.text} by another network of ${container.name}`);
    }
  }

  #mode(mode: Part, container: ResourceDraft): Attachment {
    const text = mode.text();
    if (text === 'host' || text === 'none' || text === 'bridge') {
      container.set('network', text, mode.at);
      return { networks: [text], position: mode.at };
    }
    const shared = this.#shared(text);
    if (shared === null) {
      container.refuse(mode.at, `network_mode ${JSON.stringify(text.slice(0, 80))} cannot be translated`);
    }
    const network = shared ?? 'none';
    container.set('network', network, mode.at);
    return { networks: [network], position: mode.at };
  }

  /** The network of a service, or of a container by the name that `container_name` gives it. */
  #shared(text: string): string | null {
    const [, kind, target = ''] = /^(service|container):(.+)$/.exec(text) ?? [];
    const services = this.#root.get('services')?.entries() ?? [];
    const named = services.find(([, service]) => service.textOf('container_name') === target)?.[0];
    const name = safeName(kind === 'container' ? (named ?? target) : target);
    return kind === undefined || name === null ? null : sharedNetwork(name);
  }

  #network(name: string, position: SourcePosition): string {
    const declared = this.#root.get('networks')?.get(name);
    const external = externalNetwork(declared);
    if (external !== null) return external;
    const written = safeName(name) ?? DEFAULT;
    // These words are modes.
    const own = isReservedName(written) ? `${written}-network` : written;
    if (this.#draft.find('networks', own)) return own;
    if (!declared && name !== DEFAULT) this.#draft.refuse(position, `there is no network ${JSON.stringify(name)}`);
    const network = this.#draft.resource('networks', own, declared?.keyAt ?? position);
    if (declared && !declared.isNothing) readNetwork(declared, network);
    return own;
  }
}
