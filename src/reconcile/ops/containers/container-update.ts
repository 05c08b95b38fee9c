import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { LimitName } from '../../../ffi/host/sysinfo.ts';
import type { Desired } from '../../../model/desired.ts';
import { limitsOf } from '../../../model/kinds/limit-forms.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { endpointsOf, ownAddresses } from '../../../state/containers/endpoints.ts';
import { withOwnAddresses } from '../../../state/containers/hosts.ts';
import { requireFeature } from '../../exec-features.ts';
import { keptLimits } from '../../kernel-limits.ts';
import type { OpOf } from '../../op.ts';
import { changesEndpoints, changesNetworks } from '../../plan/live-networks.ts';
import { ownsSandbox } from '../../plan/references.ts';
import { type Declared, declarationFor, desiredOf, recordOf } from '../declared.ts';
import { type ImageStores, imageById } from '../images/image-of.ts';
import type { LeaseBook } from '../networks/lease-book.ts';
import { type Connections, connect, connectAndRecord } from './container-connect.ts';
import { hostsText, linkAddresses, type TextPorts } from './container-texts.ts';
import { declaredPart } from './record-draft.ts';
import { type StopPorts, stopAgainst } from './stop-override.ts';

export interface UpdatePorts extends StopPorts {
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'change' | 'readText' | 'writeText'>;
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
  // At rest it lets go of networks that it is to leave; its start connects it to the others.
  const atRest = record.network !== null && op.fields.includes('ports') && !changesNetworks(op.fields);
  const changed = ownsSandbox(desired.spec) && (running ? changesEndpoints(op.fields) : atRest);
  const before = ownAddresses(record);
  const connected = changed ? await connect(ports.connections, desired, op.containerId) : {};
  const declared = declaredPart(ports, desired, imageById(ports.imageStores, record.imageId, desired), op.containerId);
  const update = (current: ContainerRecord): ContainerRecord => ({
    ...current,
    ...declared,
    ...connected,
    stopOverride: stopAgainst(ports, op, current),
    stopTimeoutMs: null,
    restart: { restarts: 0, consecutive: 0, requested: false },
  });
  await ports.leases.save({
    files: (batch) => ports.containers.change(op.containerId, update, batch),
  });
  if (changed && running) renewOwnLines(ports.containers, recordOf(ports, op.containerId), before);
}

/** Own lines of the hosts file come and go with addresses; what else the payload finds there stays. */
export function renewOwnLines(
  containers: Pick<ContainerStore, 'readText' | 'writeText'>,
  record: ContainerRecord,
  before: readonly string[],
): void {
  const now = ownAddresses(record);
  const present = containers.readText(record.id, 'hosts');
  if (present === null || now.join(' ') === before.join(' ')) return;
  const { Hostname: hostname, Domainname: domainname } = record.config;
  containers.writeText(record.id, 'hosts', withOwnAddresses(present, { hostname, domainname }, before, now));
}

/** Tells a running container the present addresses of those it links to, and lets it reach them. */
async function relink(ports: RelinkPorts, desired: Desired<'container'>, record: ContainerRecord): Promise<void> {
  const { id } = record;
  const run = { addresses: ownAddresses(record), resolver: record.resolver !== null };
  ports.containers.writeText(id, 'hosts', hostsText(ports.texts, desired, id, run));
  // On a network whose containers reach each other only by links, rules name the addresses.
  if (endpointsOf(record).length > 0) await connectAndRecord(ports.connections, desired, id);
  ports.containers.update({ ...recordOf(ports, id), linkAddresses: linkAddresses(ports.texts, desired) });
}

export async function relinkContainer(ports: RelinkPorts, op: OpOf<'container.relink'>): Promise<void> {
  await relink(ports, declarationFor(ports, op), recordOf(ports, op.containerId));
}
