import { constants as os } from 'node:os';
import { makeMissingDirectory } from '../../ffi/files/missing-directory.ts';
import type { Desired } from '../../model/desired.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { MissingDirectory } from '../../model/kinds/short-forms.ts';
import type { OpOf } from '../op.ts';
import type { PathBook } from '../path-book.ts';
import { type Declared, desiredOf } from './declared.ts';
import { type HostPaths, requireFree } from './free-paths.ts';

/** @throws TsdError TSD_BIND_SOURCE with the line that asked for the directory. */
function make({ key, positions, source }: Desired<'container'>, index: number, path: string, as: MissingDirectory) {
  try {
    makeMissingDirectory(path, as);
  } catch (thrown) {
    const error = toTsdError(thrown);
    const planted = error.errno === os.errno.ELOOP;
    const why = planted ? 'a link on its way could have been put there by somebody else than root' : error.message;
    throw new TsdError('TSD_BIND_SOURCE', `bind source ${path} cannot be made: ${why}`, {
      class: error.class,
      key,
      source: positions[`volumes.${index}`] ?? source,
      errno: error.errno,
      hint: `Create it with \`mkdir -p\`, or name a path without that link.`,
      cause: thrown,
    });
  }
}

export interface DirectoryPorts extends Declared, HostPaths {
  readonly paths: HostPaths['paths'] & Pick<PathBook, 'forget'>;
}

/** Makes the bind sources that are missing, where the mount says `create`. */
export async function makeDirectories(ports: DirectoryPorts, op: OpOf<'container.make-directories'>): Promise<void> {
  const desired = desiredOf(ports, 'container', op.key);
  const asked = desired.spec.volumes.flatMap(({ source, create }, index) =>
    source === null || create === undefined ? [] : [{ index, path: source, create }],
  );
  await ports.paths.settle(asked.map(({ path }) => path));
  for (const { index, path, create } of asked) {
    if (!ports.paths.isFree(path)) await requireFree(ports, [path]);
    make(desired, index, path, create);
    ports.paths.forget(path);
  }
}
