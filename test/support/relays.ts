/** Relays in this process what drivers want relayed: in production another program does, by the same code. */
import type { Networks } from '../../src/drivers/contract/network.ts';
import { Relays } from '../../src/resolver/relay/relays.ts';

/** @param options as of Relays. Returns what ends it. */
export function relayHere({ relays: wanted }: Pick<Networks, 'relays'>, options: object = {}): () => void {
  const relays = new Relays((line) => {
    throw new Error(line);
  }, options);
  wanted.held([]);
  wanted.onChange(() => {
    const now = wanted.wanted;
    for (const { key } of relays.states()) {
      if (now.has(key)) continue;
      relays.remove(key);
      wanted.released(key);
    }
    for (const [key, { protocol, address, target }] of now) {
      const state = { key, protocol, target };
      const fd = wanted.take(key);
      const known = relays.states().find((relay) => relay.key === key);
      if (fd !== null) relays.start(state, fd, address.includes(':') ? 6 : 4);
      else if (known && JSON.stringify(known.target) !== JSON.stringify(target)) relays.move(state);
    }
  });
  return () => {
    for (const { key } of relays.states()) relays.remove(key);
  };
}
