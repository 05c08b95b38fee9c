/** The one table of operations: what each op of a plan does, and what it works on. */
import type { ProgressSink } from '../../model/progress.ts';
import type { OpContext, OpHandlers } from '../executor.ts';
import type { Op, OpOf, OpType } from '../op.ts';
import type { UpdateBook } from '../update-book.ts';
import {
  type ConnectPorts,
  connectContainer,
  type DisconnectPorts,
  disconnectContainer,
  type WithdrawPorts,
  withdrawPorts,
} from './containers/container-connect.ts';
import { type CreatePorts, createContainer } from './containers/container-create.ts';
import { type CutOverPorts, cutOver } from './containers/container-cutover.ts';
import { type RemovePorts, removeContainer } from './containers/container-remove.ts';
import { type SignalPorts, signalContainer } from './containers/container-signal.ts';
import { type StartPorts, startContainer } from './containers/container-start.ts';
import { type StopContainerPorts, stopContainer } from './containers/container-stop.ts';
import { type RelinkPorts, relinkContainer, type UpdatePorts, updateContainer } from './containers/container-update.ts';
import { type FailUpdatePorts, failUpdate, type SettleUpdatePorts, settleUpdate } from './containers/update-outcome.ts';
import { type LoadImagePorts, loadDeclaredImage } from './images/image-load.ts';
import { type ReleaseImagePorts, releaseImage } from './images/image-release.ts';
import { type DirectoryPorts, makeDirectories } from './make-directories.ts';
import { type EnsureNetworkPorts, ensureNetwork, type RemoveNetworkPorts, removeNetwork } from './networks/network.ts';
import { type OrphanPorts, removeOrphan } from './orphan.ts';
import {
  type AdoptVolumePorts,
  adoptVolume,
  type CreateVolumePorts,
  createVolume,
  type ReleaseVolumePorts,
  type RemoveVolumePorts,
  releaseVolume,
  removeVolume,
} from './volume.ts';

/** What each op works on; the composition root gives it. */
interface PortsByOp {
  readonly 'image.load': LoadImagePorts;
  readonly 'image.release': ReleaseImagePorts;
  readonly 'volume.create': CreateVolumePorts;
  readonly 'volume.adopt': AdoptVolumePorts;
  readonly 'volume.release': ReleaseVolumePorts;
  readonly 'volume.remove': RemoveVolumePorts;
  readonly 'network.ensure': EnsureNetworkPorts;
  readonly 'network.remove': RemoveNetworkPorts;
  readonly 'container.make-directories': DirectoryPorts;
  readonly 'container.create': CreatePorts;
  readonly 'container.connect': ConnectPorts;
  readonly 'container.start': StartPorts;
  readonly 'container.stop': StopContainerPorts;
  readonly 'container.signal': SignalPorts;
  readonly 'container.update': UpdatePorts;
  readonly 'container.relink': RelinkPorts;
  readonly 'container.cutover': CutOverPorts;
  readonly 'container.settle-update': SettleUpdatePorts;
  readonly 'container.fail-update': FailUpdatePorts;
  readonly 'container.withdraw': WithdrawPorts;
  readonly 'container.disconnect': DisconnectPorts;
  readonly 'container.remove': RemovePorts;
  readonly 'orphan.remove': OrphanPorts;
}

/** All of a union at once. */
type Together<Union> = (Union extends unknown ? (each: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

/** What the ops work on between them. Only the table of handlers takes it whole. */
export type OpPorts = Together<PortsByOp[OpType]> & { readonly updates: Pick<UpdateBook, 'begin'> };

type Handlers = {
  readonly [T in OpType]: (
    ports: PortsByOp[T],
    op: OpOf<T>,
    progress: ProgressSink,
    signal: AbortSignal,
  ) => Promise<void>;
};

const OPS: Handlers = {
  'image.load': loadDeclaredImage,
  'image.release': releaseImage,
  'volume.create': createVolume,
  'volume.adopt': adoptVolume,
  'volume.release': releaseVolume,
  'volume.remove': removeVolume,
  'network.ensure': ensureNetwork,
  'network.remove': removeNetwork,
  'container.make-directories': makeDirectories,
  'container.create': createContainer,
  'container.connect': connectContainer,
  'container.start': startContainer,
  'container.stop': stopContainer,
  'container.signal': signalContainer,
  'container.update': updateContainer,
  'container.relink': relinkContainer,
  'container.cutover': cutOver,
  'container.settle-update': settleUpdate,
  'container.fail-update': failUpdate,
  'container.withdraw': (ports, { containerId, ports: only }) => withdrawPorts(ports, containerId, only),
  'container.disconnect': disconnectContainer,
  'container.remove': removeContainer,
  'orphan.remove': removeOrphan,
};

/** The table with the ports to work on, as the executor takes it. */
export function opHandlers(ports: OpPorts): OpHandlers {
  const bound = Object.entries(OPS).map(([type, handler]) => {
    const carryOut = handler as (ports: OpPorts, op: Op, progress: ProgressSink, signal: AbortSignal) => Promise<void>;
    // Inside an async function, so that what a handler throws at once is a rejection too.
    const run = async (op: Op, { progress, signal }: OpContext) => {
      if (op.update) ports.updates.begin(op.update);
      await carryOut(ports, op, progress, signal);
    };
    return [type, run];
  });
  return Object.fromEntries(bound) as OpHandlers;
}
