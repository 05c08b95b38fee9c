/** Host ports of a container: those that its manifest names, and those that are left to us. */
import type { Networks, PublishedPort } from '../../../drivers/contract/network.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { Declared } from '../declared.ts';
import { declaredContainers } from './declared-containers.ts';
import type { LeaseBook } from './lease-book.ts';

export interface PublishPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly network: Pick<Networks, 'checkPort'>;
  readonly leases: Pick<LeaseBook, 'port'>;
  /** Host address of published ports that name none. */
  readonly settings: { readonly defaultIp: string };
}

function isPortFree(driver: PublishPorts['network'], port: PublishedPort, containerId: string | null): boolean {
  try {
    driver.checkPort(port, containerId);
    return true;
  } catch (error) {
    if (error instanceof TsdError && error.code === 'TSD_PORT_IN_USE') return false;
    throw error;
  }
}

function declaredHostPorts(declared: Declared): Set<string> {
  return new Set(
    declaredContainers(declared).flatMap(({ spec }) =>
      spec.ports.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`),
    ),
  );
}

/** Reports whether a port may be picked: the container holds it, or it is free on this host and in all manifests. */
function pickable(ports: PublishPorts, desired: Desired<'container'>): (port: PublishedPort) => boolean {
  const record = ports.containers.byKey(desired.key);
  const own = record?.network?.ports ?? [];
  let declared: Set<string> | null = null;
  return (port) => {
    const { hostIp, hostPort, protocol } = port;
    if (own.some((held) => held.hostIp === hostIp && held.hostPort === hostPort && held.protocol === protocol)) {
      return true;
    }
    declared ??= declaredHostPorts(ports);
    return !declared.has(`${hostPort}/${protocol}`) && isPortFree(ports.network, port, record?.id ?? null);
  };
}

/** Host ports as declared; those left to us are leased. @throws TsdError TSD_PORT_IN_USE when none is free. */
export function publishedPorts(ports: PublishPorts, desired: Desired<'container'>): readonly PublishedPort[] {
  const mayPick = pickable(ports, desired);
  return desired.spec.ports.map((port, index) => {
    const { containerPort, protocol } = port;
    const hostIp = port.hostIp ?? ports.settings.defaultIp;
    const request = { owner: desired.key, hostIp, containerPort, protocol };
    const published = (hostPort: number): PublishedPort => ({ hostIp, hostPort, containerPort, protocol });
    const hostPort = port.hostPort ?? ports.leases.port(request, (candidate) => mayPick(published(candidate)));
    if (hostPort === null) {
      throw new TsdError('TSD_PORT_IN_USE', 'all ports are allocated', {
        key: desired.key,
        source: desired.positions[`ports.${index}`] ?? desired.source,
      });
    }
    return published(hostPort);
  });
}

/** Host ports that a manifest names, with the index of its field. Those left to us are picked when they are needed. */
export function declaredPorts(
  { settings }: { readonly settings: PublishPorts['settings'] },
  desired: Desired<'container'>,
): readonly (readonly [number, PublishedPort])[] {
  return desired.spec.ports.flatMap(({ hostIp, hostPort, containerPort, protocol }, index) =>
    hostPort === null
      ? []
      : [[index, { hostIp: hostIp ?? settings.defaultIp, hostPort, containerPort, protocol }] as const],
  );
}
