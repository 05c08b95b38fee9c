/** What the kernel lacks of a container's endpoints, or has that nothing declares. Pure. */
import type { ObservedEndpoint } from '../drivers/contract/network.ts';
import { append } from '../model/lists.ts';
import { parseKey, type ResourceKey } from '../model/resource.ts';
import type { ContainerRecord, RecordedEndpoint } from '../state/containers/container-record.ts';
import { endpointsOf, portsOn } from '../state/containers/endpoints.ts';
import { portName, portsOfOtherDeclaration } from './observed-port.ts';

type Observed = Pick<ContainerRecord, 'network' | 'endpoints' | 'owner' | 'state'>;

/** `on app/back`; nothing where there is no other. */
function place(network: string, among: number): string {
  if (among <= 1) return '';
  const { app, name } = parseKey(network as ResourceKey);
  return ` on ${app === '' ? name : `${app}/${name}`}`;
}

/** Differences between the endpoints of a record and those it was made for: an interrupted change of its networks. */
export function endpointsOfOtherDeclaration(record: Observed, wanted: readonly ResourceKey[]): string[] {
  const recorded = endpointsOf(record).map(({ network }) => network);
  const lacking = wanted.filter((network) => !recorded.includes(network));
  const foreign = recorded.filter((network) => !wanted.includes(network));
  return [
    ...lacking.map((network) => `endpoint${place(network, 2)} missing`),
    ...foreign.map((network) => `endpoint${place(network, 2)} not declared`),
  ];
}

/** What the kernel lacks of the recorded endpoints, or has beside them. */
export function endpointDrift(record: Observed, seen: readonly ObservedEndpoint[] = []): string[] {
  const recorded = endpointsOf(record);
  const drift: string[] = [];
  const isRunning = record.state.status === 'running' || record.state.status === 'paused';
  for (const endpoint of recorded) {
    const where = place(endpoint.network, recorded.length);
    const found = seen.find(
      ({ network }) => network === endpoint.network || (network === null && recorded.length === 1),
    );
    if (found === undefined) drift.push(`endpoint${where} missing`);
    else {
      append(
        drift,
        found.drift.map((text) => `${text}${where}`),
      );
      // One that does not run has given its ports back, or is about to.
      if (found.connected && isRunning) append(drift, portDrift(record, endpoint, found));
    }
  }
  if (recorded.length === 0 && seen.length === 0) return drift;
  const known = new Set<string | null>(recorded.map(({ network }) => network));
  for (const { network, connected } of seen) {
    if (connected && network !== null && !known.has(network)) drift.push(`endpoint${place(network, 2)} not declared`);
  }
  if (isRunning && record.owner && record.network !== null && seen.some(({ connected }) => connected)) {
    append(drift, portsOfOtherDeclaration(record.owner, record.network.ports));
  }
  return drift;
}

function portDrift(record: Observed, endpoint: RecordedEndpoint, { ports }: ObservedEndpoint): string[] {
  const wanted = portsOn(record, endpoint);
  if (wanted.length === 0) return [];
  const seen = new Set(ports.map(portName));
  return wanted.filter((port) => !seen.has(portName(port))).map((port) => `port ${portName(port)} missing`);
}
