/** Through which of its networks a container reaches everything else. Pure. */
import type { JoinedNetwork } from './container-networks.ts';

export interface DefaultRoutes {
  /** Key of the network; null where none leads out. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

const families = ({ config }: JoinedNetwork): number =>
  Number(config.ipv4?.gateway != null) + Number(config.ipv6?.gateway != null);

/**
 * Those with the highest `gatewayPriority` first, then those with gateways of both families, then by name, as Docker does.
 * An internal network leads nowhere, whatever else the container is on.
 */
function byPreference(a: JoinedNetwork, b: JoinedNetwork): number {
  return (
    b.membership.gatewayPriority - a.membership.gatewayPriority ||
    families(b) - families(a) ||
    (a.membership.network < b.membership.network ? -1 : 1)
  );
}

/** Chooses for each family: a network without one is no way out for it. */
export function defaultRoutes(networks: readonly JoinedNetwork[]): DefaultRoutes {
  const outward = networks.filter(({ config }) => !config.internal).sort(byPreference);
  const first = (family: 'ipv4' | 'ipv6') => outward.find(({ config }) => config[family]?.gateway != null)?.key ?? null;
  return { ipv4: first('ipv4'), ipv6: first('ipv6') };
}

/**
 * The network whose endpoint publishes a port: the one that leads out, of the address's family if there is one; where that
 * cannot publish, the first that can and is not internal. Null where all are internal.
 */
export function publishingNetwork(
  networks: readonly JoinedNetwork[],
  { ipv4, ipv6 }: DefaultRoutes,
  hostIp: string,
  publishes: (network: JoinedNetwork) => boolean,
): string | null {
  const isV6 = hostIp.includes(':');
  const [first, second] = isV6 ? [ipv6, ipv4] : [ipv4, ipv6];
  const outward = networks.filter(({ config }) => !config.internal);
  const able = outward.filter(publishes);
  const preferred = [first, second].find((key) => able.some((network) => network.key === key));
  const ofFamily = able.find(({ config }) => config[isV6 ? 'ipv6' : 'ipv4'] !== null);
  // Where none can, its driver says so.
  return preferred ?? ofFamily?.key ?? able[0]?.key ?? first ?? second ?? outward[0]?.key ?? null;
}
