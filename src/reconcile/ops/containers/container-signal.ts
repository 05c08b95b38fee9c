import type { BoundFile, ExecDriver } from '../../../drivers/contract/exec.ts';
import type { Desired } from '../../../model/desired.ts';
import { runName } from '../../../model/observed.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { signalNumber } from '../../../model/signals.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { NetworkNames } from '../../names/network-names.ts';
import type { OpOf } from '../../op.ts';
import { type Declared, desiredOf, recordOf } from '../declared.ts';
import { type HostPaths, requireFree } from '../free-paths.ts';
import { boundSource, type ContentCopies } from './mounts.ts';

export interface SignalPorts extends Declared, HostPaths, ContentCopies {
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'update'>;
  readonly exec: Pick<ExecDriver, 'running' | 'renewFiles' | 'signal'>;
  readonly names: Pick<NetworkNames, 'renew'>;
}

/**
 * Sends the signals, after the payload can see what they are about: of a file that was replaced, and not written to, it
 * still has the old one. A run that has ended meanwhile reads its files when it starts again.
 */
export async function signalContainer(ports: SignalPorts, op: OpOf<'container.signal'>): Promise<void> {
  if (ports.exec.running(op.containerId) === null) return;
  if (op.dependencies !== undefined) return tellOfRuns(ports, op, op.dependencies);
  const files = filesOfSignals(ports, desiredOf(ports, 'container', op.key));
  await requireFree(
    ports,
    files.map(({ source }) => source),
  );
  await ports.exec.renewFiles(op.containerId, files);
  if (files.length > 0) noteBound(ports, op.containerId, files);
  for (const signal of op.signals) await ports.exec.signal(op.containerId, signalNumber(signal));
}

/** A crash before it is recorded makes it appear twice, never not at all. */
async function tellOfRuns(
  ports: SignalPorts,
  op: OpOf<'container.signal'>,
  dependencies: readonly ResourceKey[],
): Promise<void> {
  const runs = dependencies.flatMap((key) => {
    const record = ports.containers.byKey(key);
    return record ? [[key, runName(record)] as const] : [];
  });
  ports.names.renew(op.containerId);
  for (const signal of op.signals) await ports.exec.signal(op.containerId, signalNumber(signal));
  const record = ports.containers.get(op.containerId);
  if (record) {
    ports.containers.update({ ...record, dependencyRuns: { ...record.dependencyRuns, ...Object.fromEntries(runs) } });
  }
}

/** A copy that a container runs with is kept as long as its record says so. */
function noteBound(ports: Pick<SignalPorts, 'containers'>, containerId: string, files: readonly BoundFile[]): void {
  const record = recordOf(ports, containerId);
  const bound = files.map(({ source, target }) => [target, { path: source, writable: false }] as const);
  ports.containers.update({ ...record, volumes: { ...record.volumes, ...Object.fromEntries(bound) } });
}

/** Returns the files bound read-only whose change is announced by a signal. */
function filesOfSignals(copies: ContentCopies, desired: Desired<'container'>): BoundFile[] {
  const { volumes, onChange } = desired.spec;
  return volumes.flatMap((mount) => {
    const signals = (mount.onChange ?? onChange).startsWith('signal:') && mount.watch !== false;
    const { type, source, target, readOnly } = mount;
    if (!signals || type !== 'bind' || !readOnly || source === null) return [];
    return [{ source: boundSource(copies, desired, source), target, readOnly }];
  });
}
