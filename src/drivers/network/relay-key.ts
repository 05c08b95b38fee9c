import type { BoundRelay } from '../contract/relay.ts';

/** Equal strings, same socket. */
export function relayKey({ address, port, protocol }: Pick<BoundRelay, 'address' | 'port' | 'protocol'>): string {
  return `${protocol} ${address} ${port}`;
}
