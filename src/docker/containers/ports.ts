/** Published and exposed ports in Docker's two forms. Pure. */
import type { ContainerRecord, RecordedPort } from '../../state/containers/container-record.ts';

interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** Of an inspection: null for a port that is exposed and not published. */
export type PortMap = Readonly<Record<string, readonly PortBinding[] | null>>;

interface PortEntry {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

type Connected = Pick<ContainerRecord, 'network'>;

/** IPv4 before IPv6, as Docker gives them. */
const inOrder = (a: RecordedPort, b: RecordedPort): number =>
  a.containerPort - b.containerPort || Number(a.hostIp.includes(':')) - Number(b.hostIp.includes(':'));

/** Empty for a container that is not connected. */
export function portMap({ network }: Connected): PortMap {
  const map: Record<string, PortBinding[] | null> = {};
  for (const { port, protocol } of network?.exposed ?? []) map[`${port}/${protocol}`] = null;
  for (const { containerPort, protocol, hostIp, hostPort } of [...(network?.ports ?? [])].sort(inOrder)) {
    const key = `${containerPort}/${protocol}`;
    map[key] = [...(map[key] ?? []), { HostIp: hostIp, HostPort: String(hostPort) }];
  }
  return map;
}

/** As a list has them. */
export function portList({ network }: Connected): readonly PortEntry[] {
  const published = [...(network?.ports ?? [])].sort(inOrder);
  const keys = new Set(published.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const exposed = (network?.exposed ?? []).filter(({ port, protocol }) => !keys.has(`${port}/${protocol}`));
  return [
    ...published.map(({ hostIp, hostPort, containerPort, protocol }) => ({
      IP: hostIp,
      PrivatePort: containerPort,
      PublicPort: hostPort,
      Type: protocol,
    })),
    ...exposed.map(({ port, protocol }) => ({ PrivatePort: port, Type: protocol })),
  ];
}
