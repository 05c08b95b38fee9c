import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { LimitName } from '../../../ffi/host/sysinfo.ts';
import type { Desired } from '../../../model/desired.ts';
import { limitsOf } from '../../../model/kinds/limit-forms.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { requireFeature } from '../../exec-features.ts';
import { keptLimits } from '../../kernel-limits.ts';
import type { OpOf } from '../../op.ts';
import { type Declared, declarationFor, desiredOf, recordOf } from '../declared.ts';
import { type ImageStores, imageById } from '../images/image-of.ts';
import type { LeaseBook } from '../networks/lease-book.ts';
import { type Connections, connect } from './container-connect.ts';
import { hostsText, linkAddresses, type TextPorts } from './container-texts.ts';
import { declaredPart } from './record-draft.ts';
import { type StopPorts, stopAgainst } from './stop-override.ts';

export interface UpdatePorts extends StopPorts {
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'change'>;
  readonly exec: Pick<ExecDriver, 'name' | 'capabilities' | 'running' | 'updateResources'>;
  readonly connections: Connections;
  readonly imageStores: Pick<ImageStores, 'images'>;
  readonly leases: Pick<LeaseBook, 'save'>;
  /** Limits that containers are started without. */
  readonly settings: { readonly discardedLimits: ReadonlySet<LimitName> };
}

export interface RelinkPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'get' | 'update' | 'writeText'>;
  readonly connections: Connections;
  readonly texts: TextPorts;
}

/** Takes over changed fields without touching the payload. */
export async function updateContainer(ports: UpdatePorts, op: OpOf<'container.update'>): Promise<void> {
  const desired = desiredOf(ports, 'container', op.key);
  const record = recordOf(ports, op.containerId);
  const running = ports.exec.running(op.containerId) !== null;
  if (running && op.fields.some((field) => field.startsWith('resources'))) {
    requireFeature(ports.exec, 'limits', op.key);
    const limits = keptLimits(limitsOf(desired.spec.resources), ports.settings.discardedLimits);
    ports.exec.updateResources(op.containerId, limits);
  }
  if ((running || record.network !== null) && op.fields.includes('ports'))
    connect(ports.connections, desired, op.containerId);
  const declared = declaredPart(ports, desired, imageById(ports.imageStores, record.imageId, desired), op.containerId);
  const update = (current: ContainerRecord): ContainerRecord => ({
    ...current,
    ...declared,
    stopOverride: stopAgainst(ports, op, current),
    stopTimeoutMs: null,
    restart: { restarts: 0, consecutive: 0, requested: false },
  });
  await ports.leases.save({
    files: (batch) => ports.containers.change(op.containerId, update, batch),
  });
}

/** Tells a running container the present addresses of those it links to, and lets it reach them. */
function relink(ports: RelinkPorts, desired: Desired<'container'>, { id, network }: ContainerRecord): void {
  ports.containers.writeText(id, 'hosts', hostsText(ports.texts, desired, id, network?.address ?? null));
  // On a network whose containers reach each other only by links, rules name the addresses.
  if (network !== null) connect(ports.connections, desired, id);
  ports.containers.update({ ...recordOf(ports, id), linkAddresses: linkAddresses(ports.texts, desired) });
}

export function relinkContainer(ports: RelinkPorts, op: OpOf<'container.relink'>): Promise<void> {
  relink(ports, declarationFor(ports, op), recordOf(ports, op.containerId));
  return Promise.resolve();
}
