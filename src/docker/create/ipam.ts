/** Addresses of a network: IPAM configurations, one for each family. */

import {
  bareAddress,
  canonicalAddress,
  containsAddress,
  containsNetwork,
  type Family,
  familyOf,
  networkOf,
  parseCidr,
  prefixLengthOf,
} from '../../model/addresses.ts';
import { append } from '../../model/lists.ts';
import { DockerError } from '../wire/docker-error.ts';
import { refuse } from './context.ts';

interface Pool {
  readonly Subnet: string;
  readonly IPRange: string;
  readonly Gateway: string;
  readonly AuxiliaryAddresses: Readonly<Record<string, string>>;
}

const FIELDS = {
  ipv4: { subnet: 'subnet', range: 'ipRange', gateway: 'gateway' },
  ipv6: { subnet: 'subnet6', range: 'ipRange6', gateway: 'gateway6' },
} as const;

/** `10.9.0.0/24`, also with host bits, for the comparison with the network. */
const isCidr = (text: string): boolean => parseCidr(text) !== null;

function addressProblem(address: string, subnet: string): string | null {
  const canonical = canonicalAddress(address);
  if (canonical === null) return 'invalid address';
  return containsAddress(subnet, canonical) ? null : `parent subnet ${subnet} doesn't contain this address`;
}

function problemsOf({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: Pool): string[] {
  if (!isCidr(Subnet)) return [`invalid subnet ${Subnet}: invalid CIDR block notation`];
  const network = networkOf(Subnet);
  const problems: string[] = [];
  if (network !== `${canonicalAddress(bareAddress(Subnet))}/${prefixLengthOf(Subnet)}`)
    problems.push(`invalid subnet ${Subnet}: it should be ${network}`);
  if (IPRange !== '') {
    if (!isCidr(IPRange)) problems.push(`invalid ip-range ${IPRange}: invalid CIDR block notation`);
    else if (familyOf(IPRange) !== familyOf(Subnet) || !containsNetwork(network, IPRange))
      problems.push(`invalid ip-range ${IPRange}: parent subnet ${Subnet} doesn't contain ip-range`);
  }
  const gateway = Gateway === '' ? null : addressProblem(Gateway, network);
  if (gateway !== null) problems.push(`invalid gateway ${Gateway}: ${gateway}`);
  for (const [name, address] of Object.entries(AuxiliaryAddresses)) {
    const problem = addressProblem(address, network);
    if (problem !== null) problems.push(`invalid auxiliary address ${name}: ${problem}`);
  }
  return problems;
}

/** Members that Compose leaves empty mean nothing is chosen. */
const isEmpty = ({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: Pool): boolean =>
  [Subnet, IPRange, Gateway].every((text) => text === '') && Object.keys(AuxiliaryAddresses).length === 0;

/**
 * As fields of a manifest.
 * @param ipv6 whether the network has IPv6: without, Docker checks such a pool and leaves it out
 */
export function addressesOf(all: readonly Pool[], ipv6: boolean): Readonly<Record<string, unknown>> {
  const pools = all.filter((pool) => !isEmpty(pool));
  const problems = pools.flatMap(problemsOf);
  if (problems.length > 0) refuse(`invalid network config:\n${problems.join('\n')}`);
  const written: Record<string, unknown> = {};
  const reserved: string[] = [];
  const families = new Set<Family>();
  for (const { Subnet, IPRange, Gateway, AuxiliaryAddresses } of pools) {
    const family = familyOf(Subnet);
    if (family === 'ipv6' && !ipv6) continue;
    if (families.has(family)) throw new DockerError(403, "bridge driver doesn't support multiple subnets");
    families.add(family);
    const { subnet, range, gateway } = FIELDS[family];
    written[subnet] = Subnet;
    if (IPRange !== '') written[range] = networkOf(IPRange);
    if (Gateway !== '') written[gateway] = Gateway;
    append(reserved, Object.values(AuxiliaryAddresses));
  }
  return { ...written, ...(reserved.length > 0 && { reserved }) };
}
