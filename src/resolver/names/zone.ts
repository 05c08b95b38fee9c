/** The names of one network. */
import { isIPv4, isIPv6 } from 'node:net';
import { encode } from 'dns-packet';
import { TsdError } from '../../model/errors/errors.ts';
import type { NameRecord, NetworkChange, NetworkState, PointerRecord } from '../protocol.ts';

export interface Addresses {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** A name with its scope, as a key: no name has a NUL in it. */
const keyOf = (name: string, scope: string | null): string =>
  scope === null ? name.toLowerCase() : `${name.toLowerCase()}\0${scope}`;

export class Zone {
  readonly key: string;
  #digest: string;
  readonly #labels: ReadonlySet<string>;
  readonly #names = new Map<string, Addresses>();
  /** By the name that is asked for: `2.0.80.10.in-addr.arpa`. */
  readonly #pointers = new Map<string, string>();

  /** @throws TsdError TSD_BAD_REQUEST for what is no address */
  constructor(state: NetworkState) {
    this.key = state.key;
    this.#digest = state.digest;
    this.#labels = new Set(state.labels.map(({ label, scope }) => keyOf(label, scope)));
    for (const name of state.names) this.#set(name);
    for (const pointer of state.pointers) this.#point(pointer);
  }

  get digest(): string {
    return this.#digest;
  }

  change({ digest, set, unset, setPointers, unsetPointers }: NetworkChange): void {
    for (const { name, scope } of unset) this.#names.delete(keyOf(name, scope));
    for (const name of set) this.#set(name);
    for (const address of unsetPointers) this.#pointers.delete(reverseName(address));
    for (const pointer of setPointers) this.#point(pointer);
    this.#digest = digest;
  }

  /** What a name has for those of a scope; null where it is unknown to them. @param name in small letters */
  find(name: string, scope: string | null): Addresses | null {
    const scoped = scope === null ? undefined : this.#names.get(`${name}\0${scope}`);
    return scoped ?? this.#names.get(name) ?? null;
  }

  /** 2: so called in this scope; 1: so called everywhere; 0: not so called. */
  isCalled(label: string, scope: string | null): 0 | 1 | 2 {
    if (scope !== null && this.#labels.has(`${label}\0${scope}`)) return 2;
    return this.#labels.has(label) ? 1 : 0;
  }

  /** The name that an address has. @param reverse as it is asked for, in small letters */
  pointer(reverse: string): string | null {
    return this.#pointers.get(reverse) ?? null;
  }

  #set({ name, scope, ipv4, ipv6 }: NameRecord): void {
    if (ipv4.every(isIPv4) && ipv6.every(isIPv6)) this.#names.set(keyOf(name, scope), { ipv4, ipv6 });
    else throw new TsdError('TSD_BAD_REQUEST', `addresses of ${name} are none: ${[...ipv4, ...ipv6].join(', ')}`);
  }

  #point({ address, name }: PointerRecord): void {
    this.#pointers.set(reverseName(address), name);
  }
}

const HEX = '0123456789abcdef';

/** The name that a PTR question for an address has, RFC 1035, 3.5, RFC 3596, 2.5. */
function reverseName(address: string): string {
  if (isIPv4(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  if (!isIPv6(address)) throw new TsdError('TSD_BAD_REQUEST', `${address} is no address`);
  const bytes = encode({ type: 'response', answers: [{ type: 'AAAA', name: '.', data: address }] }).subarray(-16);
  return `${[...bytes]
    .reverse()
    .map((byte) => `${HEX[byte & 15]}.${HEX[byte >> 4]}`)
    .join('.')}.ip6.arpa`;
}
