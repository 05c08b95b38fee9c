/** Whether a network has IPv6 where its manifest does not say. Pure. */
import type { Desired } from '../../../model/desired.ts';
import { describeError, TsdError, toTsdError } from '../../../model/errors/errors.ts';
import { leavesIpv6Open, MIN_IPV6_MTU } from '../../../model/kinds/network-rules.ts';

export interface HostFamilies {
  /** Networks whose spec does not say have IPv6. */
  readonly ipv6: boolean;
  /** Why this host has no IPv6; null where it has. */
  readonly ipv6Problem: string | null;
  /** Why networks whose spec does not say have none although they would; null otherwise. */
  readonly lacking: string | null;
}

/** For people: where it cannot be looked at, that is what they see. */
export function shownFamilies({ families }: { families(): HostFamilies }): HostFamilies {
  try {
    return families();
  } catch (thrown) {
    return { ipv6: false, ipv6Problem: null, lacking: describeError(toTsdError(thrown)) };
  }
}

/**
 * The families of a network.
 * @param standard what it was made with; null for one that is made now
 * @throws TsdError TSD_UNSUPPORTED_HOST for IPv6 that a manifest asks for and this host lacks
 */
export function familiesOf(
  { key, spec, positions, source }: Desired<'network'>,
  standard: boolean | null,
  host: HostFamilies,
): { readonly ipv4: boolean; readonly ipv6: boolean } {
  const ipv4 = spec.ipv4 !== false;
  const asked = leavesIpv6Open(spec) ? null : (spec.ipv6 ?? true);
  const fits = spec.mtu === null || spec.mtu >= MIN_IPV6_MTU;
  const ipv6 = asked ?? standard ?? (host.ipv6 && fits);
  if (ipv6 && asked === true && host.ipv6Problem !== null) {
    throw new TsdError('TSD_UNSUPPORTED_HOST', `the network has IPv6, and this host has none: ${host.ipv6Problem}`, {
      key,
      source: positions.ipv6 ?? positions.subnet6 ?? source,
      hint: 'Switch it on (sysctl net.ipv6.conf.all.disable_ipv6=0, without ipv6.disable=1 on the command line of the kernel), or write `ipv6: false`.',
    });
  }
  return { ipv4, ipv6 };
}
