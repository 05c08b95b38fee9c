/** A network of a Compose file (the Compose specification, "Networks"), with the options of Docker's drivers. */
import { isReference } from '../../../model/kinds/storage-forms.ts';
import type { ResourceDraft } from '../draft.ts';
import {
  addDriverOption,
  addReserved,
  assumeRouter,
  fieldOf,
  setAddress,
  setDriver,
  setRange,
  type Written,
} from '../network-settings.ts';
import type { FieldTable, Part } from '../part.ts';
import { pairs } from './pairs.ts';

const written = (part: Part): Written => ({ text: part.text(), at: part.at });

/** Docker gives containers of a bridge this gateway instead of the bridge's own address. */
const OTHER_GATEWAY = /^DefaultGatewayIPv[46]$/;

const SUBNET: FieldTable<ResourceDraft> = {
  subnet: (part, network) => setAddress(network, 'subnet', written(part)),
  gateway: (part, network) => setAddress(network, 'gateway', written(part)),
  ip_range: (part, network) => setRange(network, written(part)),
  aux_addresses: (part, network) => {
    for (const [name, address] of part.entries()) {
      if (OTHER_GATEWAY.test(name)) network.warn(address.keyAt, `${name}: it is reserved, and is not the gateway`);
      addReserved(network, written(address));
    }
  },
};

function addSubnet(part: Part, network: ResourceDraft): void {
  const subnet = part.textOf('subnet') ?? part.textOf('gateway') ?? part.textOf('ip_range');
  const known = subnet === undefined ? undefined : network.get(fieldOf('subnet', subnet));
  // All of it belongs to a subnet that is left out.
  if (known === undefined) part.each(SUBNET, network, network);
  else network.warn(part.at, `a network has one subnet of a family, here ${String(known)}; ${subnet} is left out`);
}

const IPAM: FieldTable<ResourceDraft> = {
  driver: (part, network) => {
    if (part.text() !== 'default') network.warn(part.keyAt, 'ipam.driver: addresses are given out by tsdocker');
  },
  config: (part, network) => {
    for (const item of part.items()) addSubnet(item, network);
  },
  options: 'no meaning: addresses are given out by tsdocker',
};

/** Read with the ports of services. */
const HOST_BINDING = 'com.docker.network.bridge.host_binding_ipv4';

const NETWORK: FieldTable<ResourceDraft> = {
  driver: (part, network) => setDriver(network, written(part)),
  driver_opts: (part, network) => {
    for (const [name, option] of part.entries()) {
      if (name !== HOST_BINDING && !option.isNothing) addDriverOption(network, name, written(option));
    }
  },
  ipam: (part, network) => part.each(IPAM, network, network),
  internal: (part, network) => network.set('internal', part.boolean(), part.at),
  enable_ipv4: (part, network) => network.set('ipv4', part.boolean(), part.at),
  enable_ipv6: (part, network) => network.set('ipv6', part.boolean(), part.at),
  external: (part, network) => {
    if (part.content.type !== 'mapping' && part.boolean() !== true) return;
    network.warn(
      part.keyAt,
      'external: a network of this name is made for this app; one of another app has `name: app/name` beside it',
    );
  },
  labels: (part, network) => {
    for (const [name, value, at] of pairs(part)) network.put('labels', name, value, at);
  },
  name: 'no meaning: the name is the key, within its app',
  attachable: 'no meaning: every container of the app may join',
};

/**
 * What an external network is here: `host`, `none` or `bridge`, which every Docker has, or `app/name`, a network of another
 * app. Null for any other, which nothing here has made.
 */
export function externalNetwork(declared: Part | undefined): string | null {
  const external = declared?.get('external');
  const { type } = external?.content ?? { type: 'nothing' };
  if (!external || (type !== 'mapping' && !/^(true|yes|on)$/i.test(declared?.textOf('external') ?? ''))) return null;
  const name = external.textOf('name') ?? declared?.textOf('name') ?? '';
  if (['host', 'none', 'bridge'].includes(name)) return name;
  return name.includes('/') && isReference(name) ? name : null;
}

/** The address of the host that ports of a network are published at, unless they say another one. */
export function hostBinding(declared: Part | undefined): Written | null {
  const option = declared?.get('driver_opts')?.get(HOST_BINDING);
  return option && !option.isNothing ? written(option) : null;
}

/** Fills a network with what the file says of it. */
export function readNetwork(declared: Part, network: ResourceDraft): void {
  declared.each(NETWORK, network, network);
  assumeRouter(network);
}
