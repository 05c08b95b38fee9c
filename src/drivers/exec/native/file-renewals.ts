/** Binds files of running containers again whose source path now names another file, and looks whether it worked. */
import { TsdError } from '../../../model/errors/errors.ts';
import type { BoundFile } from '../../contract/exec.ts';
import { prepareRenewal, stalePlace } from './bind-renewal.ts';
import { type ContainerEntry, openContainer } from './program/container-entry.ts';
import type { Runs } from './runs.ts';
import type { Launcher } from './shim/launcher.ts';
import type { ShimChildren } from './shim/shim-children.ts';
import { stdioSession } from './shim/stdio-session.ts';

export interface FileRenewalsContext {
  readonly children: ShimChildren;
  readonly launcher: Launcher;
  readonly runs: Runs;
}

export class FileRenewals {
  readonly #context: FileRenewalsContext;

  constructor(context: FileRenewalsContext) {
    this.#context = context;
  }

  /** As {@link ExecDriver.renewFiles}. */
  async renewFiles(containerId: string, files: readonly BoundFile[]): Promise<readonly string[]> {
    const { handle } = this.#context.runs.need(containerId);
    if (files.length === 0) return [];
    const entry = openContainer(handle);
    try {
      const renewed: string[] = [];
      for (const file of files) if (await this.#renew(containerId, file, entry)) renewed.push(file.target);
      return renewed;
    } finally {
      entry.close();
    }
  }

  async #renew(containerId: string, file: BoundFile, entry: ContainerEntry): Promise<boolean> {
    const { children, launcher } = this.#context;
    const place = stalePlace(file, entry.root);
    if (place === null) return false;
    const task = prepareRenewal(file, place, entry);
    const { launched, connection, shimPid } = await launcher.launch(task, null, { containerId, run: null });
    const session = stdioSession(connection, launched.pid, false);
    session.stdout.resume();
    session.stderr.resume();
    await session.exited.finally(() => children.leaving(shimPid));
    if (stalePlace(file, entry.root) !== null) throw notRenewed(file);
    return true;
  }
}

function notRenewed({ source, target }: BoundFile): TsdError {
  return new TsdError('TSD_CONTAINER_SETUP', `${target} is still not the file that is at ${source} now`, {
    step: `rebind ${source} to ${target}`,
    hint: '`tsdocker restart` binds all files again.',
  });
}
