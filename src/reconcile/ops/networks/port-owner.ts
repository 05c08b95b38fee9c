/** Whose a port of the host is that cannot be published. */
import type { PublishedPort } from '../../../drivers/contract/network.ts';
import type { Desired, DesiredState } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { PortHeldError } from '../../../model/errors/port-held-error.ts';
import { beforePort, shareAddress } from '../../../model/networks/host-addresses.ts';
import { formatPosition } from '../../../model/resource.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';

/** The place that asks for a port which a container has; null where no manifest declares that container any more. */
function placeOf({ resources }: DesiredState, { owner, network }: ContainerRecord, wanted: PublishedPort) {
  const declared = owner === null ? undefined : (resources.get(owner.key) as Desired<'container'> | undefined);
  if (declared === undefined) return null;
  const isSame = (port: Pick<PublishedPort, 'hostPort' | 'protocol'>): boolean =>
    port.hostPort === wanted.hostPort && port.protocol === wanted.protocol;
  const held = network?.ports.find((port) => isSame(port) && shareAddress(port.hostIp, wanted.hostIp));
  const index = declared.spec.ports.findIndex(
    ({ hostPort, containerPort, protocol }) =>
      protocol === wanted.protocol &&
      (hostPort === null ? containerPort === held?.containerPort : hostPort === wanted.hostPort),
  );
  const isChosen = declared.spec.ports[index]?.hostPort === null;
  return { position: declared.positions[`ports.${index}`] ?? declared.source, isChosen };
}

/**
 * The same error with what a person looks for: the container's name and the line that asks for the port.
 * @param port the one that could not be published
 */
export function withOwner(
  containers: Pick<ContainerStore, 'get'>,
  state: DesiredState,
  port: PublishedPort,
  error: TsdError,
): TsdError {
  const record = error instanceof PortHeldError ? containers.get(error.holder) : undefined;
  if (record === undefined) return error;
  const place = placeOf(state, record, port);
  const name = record.owner?.key ?? `container ${record.engineName}`;
  const what = `host port ${beforePort(port.hostIp)}:${port.hostPort}/${port.protocol} is published by ${name}`;
  const { step, class: of } = error;
  if (place === null) {
    const hint = 'Remove that container, which no manifest declares, or publish another port.';
    return new TsdError('TSD_PORT_IN_USE', what, { step, class: of, hint });
  }
  const at = `${what} (${formatPosition(place.position)})`;
  if (!place.isChosen)
    return new TsdError('TSD_PORT_IN_USE', at, { step, class: of, hint: 'Publish another port of the two.' });
  return new TsdError('TSD_PORT_IN_USE', `${at}, which was given one that was free`, {
    step,
    class: of,
    hint: 'Write a host port there, or publish another one here.',
  });
}
