import { beforePort } from '../model/networks/host-addresses.ts';
import { baseKey } from '../model/update.ts';
import type { ContainerOwner, RecordedPort } from '../state/containers/container-record.ts';
import { containerSpecOf } from '../state/containers/written-spec.ts';

/** `0.0.0.0:8080/tcp`: equal texts, same published port. */
export const portName = ({ hostIp, hostPort, protocol }: Omit<RecordedPort, 'containerPort'>): string =>
  `${beforePort(hostIp)}:${hostPort}/${protocol}`;

/**
 * How a container's ports differ from those it is recorded to be made with: the rules were changed first, and then the
 * declaration they were for could not be written down. One that is made or left beside another has ports in turn with it.
 */
export function portsOfOtherDeclaration(
  owner: Pick<ContainerOwner, 'key' | 'written'>,
  recorded: readonly RecordedPort[],
): string[] {
  if (owner.key !== baseKey(owner.key)) return [];
  const { ports: declared } = containerSpecOf(owner);
  if (declared.length === 0 && recorded.length === 0) return [];
  const text = ({ hostIp, hostPort, containerPort, protocol }: (typeof declared)[number]): string =>
    `${hostIp === null ? '' : `${beforePort(hostIp)}:`}${hostPort ?? '(any)'}->${containerPort}/${protocol}`;
  // What the manifest leaves open may have any value.
  const as = (port: RecordedPort, { hostIp, hostPort }: (typeof declared)[number]): string =>
    text({ ...port, hostIp: hostIp && port.hostIp, hostPort: hostPort && port.hostPort });
  const lacking = declared.filter((wanted) => !recorded.some((port) => as(port, wanted) === text(wanted)));
  const foreign = recorded.filter((port) => !declared.some((wanted) => as(port, wanted) === text(wanted)));
  return [
    ...lacking.map((port) => `port ${text(port)} not published`),
    ...foreign.map((port) => `port ${text(port)} published without being declared`),
  ];
}
