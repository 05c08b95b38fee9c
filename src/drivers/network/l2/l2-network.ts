/** A network as these drivers see it: what every network has, and their options. */
import { TsdError } from '../../../model/errors/errors.ts';
import type { NetworkConfig } from '../../contract/network.ts';
import type { L2Kind } from './l2-kind.ts';

export interface L2Network extends Pick<NetworkConfig, 'key' | 'ipv4' | 'ipv6' | 'internal'> {
  /** Name of the interface of the host that its containers are on. */
  readonly parent: string;
  /** The parent leads nowhere and is made for this network. */
  readonly closed: boolean;
  readonly mode: string;
  /** Null for that of the parent. */
  readonly mtu: number | null;
}

/** IFNAMSIZ - 1 of linux/if.h. */
const NAME = /^(?!\.{1,2}$)[^\s/:]{1,15}$/;

function invalid(message: string, hint?: string): TsdError {
  return new TsdError('TSD_NETWORK', message, { class: 'invalid', hint });
}

/** @throws TsdError TSD_NETWORK, invalid */
export function l2Network(kind: L2Kind, config: NetworkConfig): L2Network {
  const { parent = null, mode = null, ownMtu = false, ...others } = config.options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw invalid(`${kind.name} has no option ${unknown}`, 'Its options are parent, mode and ownMtu.');
  if (parent !== null && (typeof parent !== 'string' || !NAME.test(parent))) {
    throw invalid(`${JSON.stringify(parent)} is not an interface name`);
  }
  if (parent === 'lo')
    throw invalid('lo leads nowhere: no network can be on it', 'Name an interface that is connected.');
  const chosen = mode ?? kind.modes[0];
  if (typeof chosen !== 'string' || !kind.modes.includes(chosen)) {
    throw invalid(`${kind.name} has no mode ${JSON.stringify(mode)}`, `It has ${kind.modes.join(', ')}.`);
  }
  const { key, interfaceName, ipv4, ipv6, internal, mtu } = config;
  if (!NAME.test(interfaceName)) throw invalid(`${JSON.stringify(interfaceName)} is not an interface name`);
  return {
    ...{ key, ipv4, ipv6 },
    parent: parent ?? interfaceName,
    closed: parent === null,
    internal: internal || parent === null,
    mode: chosen,
    mtu: ownMtu === true || parent === null ? mtu : null,
  };
}
