/** What a build works on: images, snapshots, commands, directories. */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instance } from '../../../drivers/contract/driver.ts';
import { removeTree } from '../../../ffi/files/remove-tree.ts';
import { BuildCache } from '../../../images/build/cache.ts';
import { DOWNLOAD_LIMITS, Downloads } from '../../../images/build/downloads.ts';
import type { BuildHost } from '../../../images/build/host.ts';
import type { Clock } from '../../../model/clock.ts';
import type { ProgressSink } from '../../../model/progress.ts';
import { type IntakePorts, loadContext } from '../images/image-intake.ts';
import { type BaseImagePorts, type BaseRules, baseImage } from './base-images.ts';
import { type BuildNetworkPorts, downloadNetwork } from './build-network.ts';
import { type BuildExec, runCommand } from './build-run.ts';
import type { BuildWork } from './build-work.ts';

export interface BuildPorts {
  readonly clock: Clock;
  readonly builds: BuildWork;
  readonly exec: BuildExec;
  readonly baseImages: BaseImagePorts;
  readonly buildNetworks: BuildNetworkPorts;
  readonly intake: IntakePorts;
}

/** What builds keep for later ones beside layers: which step led to which, downloads, directories of cache mounts. */
export const buildCacheOf = ({ instance }: { readonly instance: Pick<Instance, 'root'> }): string =>
  join(instance.root, 'build-cache');

export function buildHost(ports: BuildPorts, bases: BaseRules, progress: ProgressSink): BuildHost {
  const { graph, settings, instance } = ports.intake;
  const { tmpDir } = settings;
  const kept = buildCacheOf({ instance });
  const withDirectory = async <T>(work: (path: string) => Promise<T>): Promise<T> => {
    await mkdir(tmpDir, { recursive: true });
    const path = await mkdtemp(join(tmpDir, 'build-'));
    try {
      return await work(path);
    } finally {
      await removeTree(path);
    }
  };
  const downloads = new Downloads(join(kept, 'downloads'), DOWNLOAD_LIMITS, ({ host, pathname }, bytes, total) =>
    progress(`downloading ${host}${pathname}`, bytes, total, { step: 'download', item: `${host}${pathname}` }),
  );
  return {
    load: loadContext(ports.intake, progress),
    cache: new BuildCache(join(kept, 'steps'), (chainId) => graph.exists(chainId)),
    now: () => ports.clock.now().wallMs,
    withDirectory,
    baseImage: (name, platform, signal) => baseImage(ports.baseImages, { ...bases, name, platform }, progress, signal),
    withSnapshot: (parent, work) => {
      const id = randomBytes(32).toString('hex');
      return ports.builds.using(id, async () => {
        await graph.createSnapshot(id, parent);
        try {
          return await work(id, graph.rootMount(id));
        } finally {
          await graph.remove(id);
        }
      });
    },
    download: (request, network, signal) =>
      downloads.fetch(request, downloadNetwork(ports.buildNetworks, network), signal),
    run: (request, signal) => withDirectory((directory) => runCommand(ports, request, directory, signal)),
    withCacheMount: async ({ id, locked, mode, uid, gid }, work) => {
      const path = join(kept, 'mounts', createHash('sha256').update(id).digest('hex'));
      const made = await mkdir(path, { recursive: true, mode: 0o700 });
      if (made !== undefined) {
        await chown(path, uid, gid);
        await chmod(path, mode);
      }
      return locked ? ports.builds.alone(`cache ${id}`, () => work(path)) : work(path);
    },
  };
}
