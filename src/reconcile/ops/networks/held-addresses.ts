/** Which keys hold the addresses of a container, also while one moves from it to its successor. Pure. */
import { bareAddress } from '../../../model/addresses.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { baseKey, formerKey } from '../../../model/update.ts';
import type { ContainerRecord, RecordedEndpoint } from '../../../state/containers/container-record.ts';
import { endpointOn, endpointsOf } from '../../../state/containers/endpoints.ts';

export interface HeldAddress {
  readonly network: ResourceKey;
  readonly owner: ResourceKey;
  readonly address: string;
}

const FAMILIES = ['ipv4', 'ipv6'] as const;

/**
 * The addresses that a record says its container has, each with its holder. What a predecessor shares with its successor is
 * the successor's.
 * @param base the container that has the name of this one; itself, where it is that
 */
export function heldAddresses(record: ContainerRecord, base: ContainerRecord | undefined): HeldAddress[] {
  const key = record.owner?.key;
  if (key === undefined) return [];
  const isBase = key === baseKey(key);
  return endpointsOf(record).flatMap(({ network, ipv4, ipv6, former }) => {
    const own = { ipv4, ipv6 };
    const shared = isBase || base === undefined ? undefined : endpointOn(base, network);
    return FAMILIES.flatMap((family) => {
      const [address, before] = [own[family], former?.[family] ?? null];
      return [
        ...(address === null || shared?.[family] === address ? [] : [{ owner: key, address }]),
        ...(before === null ? [] : [{ owner: isBase ? formerKey(key) : key, address: before }]),
      ].map((held) => ({ ...held, network, address: bareAddress(held.address) }));
    });
  });
}

type Addresses = Pick<RecordedEndpoint, 'ipv4' | 'ipv6' | 'former'>;

/** An endpoint that takes over addresses, with prefix length: what it had stays beside. */
export function takenOver<T extends Addresses>(endpoint: T, given: Pick<Addresses, 'ipv4' | 'ipv6'> | undefined): T {
  if (given === undefined) return endpoint;
  const before = (family: 'ipv4' | 'ipv6'): string | null => {
    const isOther = given[family] !== null && given[family] !== endpoint[family];
    return endpoint.former?.[family] ?? (isOther ? endpoint[family] : null);
  };
  const former = { ipv4: before('ipv4'), ipv6: before('ipv6') };
  const has = former.ipv4 !== null || former.ipv6 !== null;
  return {
    ...endpoint,
    ipv4: given.ipv4 ?? endpoint.ipv4,
    ipv6: given.ipv6 ?? endpoint.ipv6,
    ...(has && { former }),
  };
}

/** The endpoint of one that gave way after a failure: it has what it had before it took over. */
export function handedBack(endpoint: RecordedEndpoint): RecordedEndpoint {
  const { former, ...rest } = endpoint;
  return former ? { ...rest, ipv4: former.ipv4 ?? rest.ipv4, ipv6: former.ipv6 ?? rest.ipv6 } : endpoint;
}
