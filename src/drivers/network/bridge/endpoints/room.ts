/** How many containers a network takes. */
import { TsdError } from '../../../../model/errors/errors.ts';
import { networkName } from '../../../../model/networks/network-name.ts';
import type { BridgeNetwork } from '../network-options.ts';

/** Answered by a bridge without a free port (net/bridge/br_if.c); libuv has no name for it. */
export const EXFULL = 54;
/** BR_MAX_PORTS of net/bridge/br_private.h less port 0. */
const BRIDGE_PORTS = 1023;

/** @param present endpoints that it has. @throws TsdError TSD_NETWORK, class exhausted, when it takes no more. */
export function requireRoom(network: BridgeNetwork, present: number): void {
  if (present >= BRIDGE_PORTS) throw noRoom(network);
}

export function noRoom({ key, bridge }: BridgeNetwork, cause?: unknown): TsdError {
  const most = BRIDGE_PORTS.toLocaleString('en');
  return new TsdError('TSD_NETWORK', `${networkName(key)} is full: its bridge ${bridge} takes ${most} interfaces`, {
    class: 'exhausted',
    errno: EXFULL,
    step: `connect to ${bridge}`,
    hint: 'Put further containers on another network, or take some off this one.',
    cause,
  });
}
