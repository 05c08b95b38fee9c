/** A reset without a supervisor: the drivers are opened here, under its locks. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openNetworks } from '../../drivers/network/open.ts';
import { EXEC_DRIVERS, GRAPH_DRIVERS, NETWORK_DRIVERS } from '../../drivers/registry.ts';
import { systemClock } from '../../ffi/boot-clock.ts';
import { readSysinfo } from '../../ffi/host/sysinfo.ts';
import { bootId } from '../../ffi/process/processes.ts';
import { ChangedSettings } from '../../state/changed-settings.ts';
import { StateFiles } from '../../state/files/durable.ts';
import {
  type InstanceFiles,
  instanceAt,
  lookAtInstance,
  type RemoveFilesOptions,
  removeInstanceFiles,
} from '../../state/instance-files.ts';
import { openRoot } from '../../state/root.ts';
import { VolumeStore } from '../../state/volumes/volumes.ts';
import { endInPeace } from '../../supervisor/reset/end-in-peace.ts';
import { takeAway } from '../../supervisor/reset/take-away.ts';
import { ResolverGroup } from '../../supervisor/resolver/resolver-group.ts';
import { SHIM_BINARY } from '../drivers.ts';

export interface ResetPlace {
  readonly root: string;
  readonly runDir: string;
}

/** @throws TsdError TSD_LOCKED when a supervisor has them. Returns what had to stay. */
export async function resetOffline(place: ResetPlace, options: RemoveFilesOptions): Promise<readonly string[]> {
  instanceAt(place.root);
  const state = await openRoot({ ...place, pidfile: null });
  try {
    const instance = { id: state.instanceId, root: state.root, runDir: state.runDir };
    const execs = Object.values(EXEC_DRIVERS).map((create) =>
      create({ instance, clock: systemClock, shimBinary: SHIM_BINARY, sysinfo: readSysinfo() }),
    );
    const originals = new ChangedSettings(join(state.root, 'changed-settings.json'), bootId());
    const network = openNetworks(NETWORK_DRIVERS, { instance, iptables: true, ipForward: false, originals });
    const graphs = Object.entries(GRAPH_DRIVERS)
      .filter(([name]) => existsSync(join(state.root, name)))
      .map(([, { create }]) => create(state.root, []));
    try {
      await Promise.all(execs.map((exec) => endInPeace(exec, state)));
      await new ResolverGroup(state.instanceId).clear();
      const stays = await takeAway({ execs, network, graphs });
      for (const graph of graphs) graph.close();
      await removeInstanceFiles(state, options);
      return stays;
    } finally {
      for (const exec of execs) exec.close();
      network.close();
    }
  } finally {
    state.close();
  }
}

export interface InstanceDescription extends InstanceFiles {
  readonly volumes: readonly { readonly name: string; readonly path: string }[];
}

/** Looks only. @throws TsdError TSD_FLAG for a directory that is no root. */
export function describeInstance(root: string): InstanceDescription {
  const files = lookAtInstance(root);
  const store = new VolumeStore(root, new StateFiles(join(root, 'tmp')));
  const named = store.all().map(({ id, owner, path }) => {
    if (owner.type === 'named') return { name: owner.key.slice('volume/'.length), path };
    const of = owner.type === 'anonymous' ? `${owner.containerKey.slice('container/'.length)}:${owner.target}` : id;
    return { name: of, path };
  });
  return { ...files, volumes: named };
}

const LOOK_AGAIN_MS = 50;
/** Layers may be many; nothing else takes long. */
const GIVE_UP_MS = 120_000;

/**
 * Waits until the files of an instance are gone, and looks for what is left of it. A service manager may have started a
 * supervisor again by then, as another instance.
 * @returns what is left, in sentences
 */
export async function untilGone({ root }: ResetPlace, instance: string): Promise<readonly string[]> {
  const deadline = performance.now() + GIVE_UP_MS;
  while (isAt(root, instance)) {
    if (performance.now() > deadline) return [`${root} is still there: the log of the supervisor says why`];
    await delay(LOOK_AGAIN_MS);
  }
  return interfacesOf(instance).map((name) => `interface ${name} is still there`);
}

function isAt(root: string, instance: string): boolean {
  const file = join(root, 'instance');
  return existsSync(file) && readFileSync(file, 'utf8').trim() === instance;
}

function interfacesOf(instance: string): string[] {
  return readdirSync('/sys/class/net').filter((name) => {
    const alias = join('/sys/class/net', name, 'ifalias');
    return existsSync(alias) && readFileSync(alias, 'utf8').startsWith(`tsd:${instance}:`);
  });
}
