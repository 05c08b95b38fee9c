/** Networks of earlier versions, which stay as they are until their manifests say otherwise. */
import type { DoctorCheck } from '../../api/views/host-views.ts';
import { parseKey } from '../../model/resource.ts';
import { networkSpecOf } from '../../state/containers/written-spec.ts';
import { type NetworkRecord, PRESENT_DEFAULTS } from '../../state/history/network-record.ts';

/** One that was made otherwise than it would be now. */
export interface EarlierNetwork {
  /** `blog/back`; null for the default bridge, which no manifest declares. */
  readonly name: string | null;
  readonly is: readonly string[];
  /** What its manifest can say to have it as new ones are. */
  readonly lines: readonly string[];
}

/** @param ipv6 networks that are made now have IPv6 */
export function earlierNetworks(records: readonly NetworkRecord[], ipv6: boolean): readonly EarlierNetwork[] {
  return records.flatMap((record) => {
    const { defaults } = record;
    const spec = networkSpecOf(record);
    const { app, name } = parseKey(record.key);
    const found: (readonly [is: string, line: string])[] = [];
    // Stored specs of earlier versions lack these fields.
    if (ipv6 && !defaults.ipv6 && (spec.ipv6 ?? null) === null && record.ipv6 === null) {
      found.push(['without IPv6', 'ipv6: true']);
    }
    if (defaults.metadata && !PRESENT_DEFAULTS.metadata && (spec.metadata ?? null) === null) {
      found.push(['metadata services are reached', 'metadata: false']);
    }
    if (found.length === 0) return [];
    const [is, lines] = [found.map(([text]) => text), found.map(([, line]) => line)];
    return [{ name: app === '' ? null : `${app}/${name}`, is, lines }];
  });
}

export function earlierNetworksCheck(networks: readonly EarlierNetwork[]): DoctorCheck {
  const name = 'earlier networks';
  if (networks.length === 0)
    return { name, status: 'ok', message: 'all networks are as they would be made now', fix: null };
  const shown = networks.map((network) => `${network.name ?? 'the default bridge'} (${network.is.join('; ')})`);
  const written = networks.flatMap((network) =>
    network.name === null ? [] : [`${network.name}: { ${network.lines.join(', ')} }`],
  );
  const own = networks.some((network) => network.name === null)
    ? ['of the default bridge --ipv6=true is for IPv6, and containers on a network of their own do without it']
    : [];
  const restarts = networks.some(({ lines }) => lines.includes('ipv6: true'));
  const fix = [...written, ...own].join('; ');
  return {
    name,
    status: 'warning',
    message: `made by an earlier version, and kept as they were: ${shown.join(', ')}`,
    fix: `Write into the manifests of networks: ${fix}.${restarts ? ' A change of ipv6 restarts the containers.' : ''}`,
  };
}
