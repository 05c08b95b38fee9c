/** The root filesystem of a container as a detached mount: nothing of it is visible on the host. */
import { existsSync, readFileSync } from 'node:fs';
import { cloneMount, mountDetached, mountInPassing } from '../../../../ffi/storage/mounts.ts';
import type { RootMount } from '../../../contract/graph.ts';

type MountOption = readonly [name: string, value: string];

/** Features that a kernel may have on by default and that change what is stored in the layers. */
const FEATURES = ['index', 'metacopy', 'redirect_dir'];

let featureOptions: readonly MountOption[] | undefined;

/** Those of the features that are on by default, as options that turn them off; read once. */
function featuresOff(): readonly MountOption[] {
  featureOptions ??= FEATURES.filter((name) => {
    const parameter = `/sys/module/overlay/parameters/${name}`;
    return existsSync(parameter) && readFileSync(parameter, 'utf8').trim() === 'Y';
  }).map((name) => [name, 'off']);
  return featureOptions;
}

/**
 * @param writable false: without the upper directory's mark, for looking at a root that is mounted elsewhere or will be.
 * @returns a close-on-exec descriptor of the mount, which goes when the last one is closed.
 * @throws TsdError with step `mount root`.
 */
export function openRoot(root: RootMount, writable = true): number {
  if (root.type === 'bind') return cloneMount('mount root', root.source);
  if (root.type === 'calls') return mountInPassing('mount root', root.place, root.calls, root.subdirectory);
  const lowers = writable ? root.lowers : [root.upper, ...root.lowers];
  const options: MountOption[] = lowers.map((path) => ['lowerdir+', path]);
  if (writable) options.push(['upperdir', root.upper], ['workdir', root.work], ...featuresOff());
  return mountDetached('mount root', 'overlay', options);
}
