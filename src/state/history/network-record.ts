/** Networks as they were created, and how rows and files hold them. */
import type { NetworkRange } from '../../drivers/contract/network.ts';
import type { ImperativeRequest } from '../../model/imperative/request.ts';
import type { JsonValue } from '../../model/json.ts';
import type { ResourceKey } from '../../model/resource.ts';

/** What a spec may leave open, as it was decided when the network was made: a later version decides otherwise. */
export interface NetworkDefaults {
  /** It has IPv6 where its spec does not say. */
  readonly ipv6: boolean;
  readonly metadata: boolean;
  readonly directAccess: boolean;
}

/** A network as it was created. */
export interface NetworkRecord {
  readonly key: ResourceKey;
  readonly specHash: string;
  /** The normalised spec and the schema version it was written for. */
  readonly written: JsonValue;
  readonly schemaVersion: number;
  readonly driver: string;
  /** Its interface on the host; the name stands for the network also where a driver makes no such interface. */
  readonly interfaceName: string;
  /** Stays the same when the manifest leaves the choice to us. Null without IPv4. */
  readonly ipv4: NetworkRange | null;
  readonly ipv6: NetworkRange | null;
  readonly defaults: NetworkDefaults;
  /** Of a network that no manifest declared: this record is its declaration. */
  readonly request?: ImperativeRequest;
}

/** Of networks that were made before there was a choice: as they have been since. @internal tests compare with it. */
export const EARLIER_DEFAULTS: NetworkDefaults = { ipv6: false, metadata: true, directAccess: false };
/** Of networks that are made now, but for IPv6, which the host decides. */
export const PRESENT_DEFAULTS: Omit<NetworkDefaults, 'ipv6'> = { metadata: false, directAccess: false };

/** As a file has it: what an earlier version wrote, or this one. */
export type WrittenRecord = NetworkRecord | (Omit<NetworkRecord, Added> & EarlierRecord);
type Added = 'driver' | 'interfaceName' | 'ipv4' | 'ipv6' | 'defaults';

interface EarlierRecord {
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
}

/** Reads a record in either form. */
export function readNetworkRecord(written: WrittenRecord): NetworkRecord {
  if (!('bridge' in written)) return written;
  const { bridge, subnet, gateway, ...rest } = written;
  return {
    ...rest,
    driver: 'bridge',
    interfaceName: bridge,
    ipv4: { subnet, gateway },
    ipv6: null,
    defaults: EARLIER_DEFAULTS,
  };
}

export interface NetworkRow
  extends Pick<NetworkRecord, 'key' | 'specHash' | 'schemaVersion' | 'driver' | 'interfaceName'> {
  readonly written: string;
  /** JSON, or null. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly defaults: string;
  /** JSON, or null. */
  readonly request: string | null;
}

const rangeOf = (json: string | null): NetworkRange | null =>
  json === null ? null : (JSON.parse(json) as NetworkRange);

export function fromRow({ written, ipv4, ipv6, defaults, request, ...row }: NetworkRow): NetworkRecord {
  return {
    ...row,
    written: JSON.parse(written) as JsonValue,
    ipv4: rangeOf(ipv4),
    ipv6: rangeOf(ipv6),
    defaults: JSON.parse(defaults) as NetworkDefaults,
    ...(request !== null && { request: JSON.parse(request) as ImperativeRequest }),
  };
}

export function toRow({ written, ipv4, ipv6, defaults, request, ...record }: NetworkRecord): NetworkRow {
  return {
    ...record,
    written: JSON.stringify(written),
    ipv4: ipv4 && JSON.stringify(ipv4),
    ipv6: ipv6 && JSON.stringify(ipv6),
    defaults: JSON.stringify(defaults),
    request: request === undefined ? null : JSON.stringify(request),
  };
}
