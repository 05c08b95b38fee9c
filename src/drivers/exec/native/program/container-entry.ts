/**
 * The way into a running container. Its first process may have gone elsewhere since it was started: without any rights it
 * can make a user namespace of its own and below it others, with mounts of its making. A process that we put there would
 * still be one of the host's user namespace, with its rights there.
 */
import { closeSync, openSync } from 'node:fs';
import { openDirectory } from '../../../../ffi/files/lookup.ts';
import { isOfOwnUserNamespace, isOwnUserNamespace } from '../../../../ffi/process/namespace-owner.ts';
import { startTimeOf } from '../../../../ffi/process/processes.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { TaskHandle } from '../../../contract/exec.ts';

/** A running container. */
export type ExecTarget = Pick<TaskHandle, 'containerId' | 'pid' | 'startTime'>;

/** Files of /proc/PID/ns. */
const NAMESPACES = ['mnt', 'uts', 'ipc', 'pid', 'net', 'cgroup'] as const;

export interface ContainerEntry {
  /** The root directory, for lookups in it. */
  readonly root: number;
  readonly namespaces: Readonly<Record<(typeof NAMESPACES)[number], number>>;
  /** Closes all of it. */
  close(): void;
}

export function gone(target: Pick<ExecTarget, 'containerId'>): TsdError {
  return new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${target.containerId.slice(0, 12)} is not running`);
}

function elsewhere({ containerId, pid }: ExecTarget): TsdError {
  const message = `nothing can be run in container ${containerId.slice(0, 12)}: its first process (${pid}) has moved to a user namespace of its own`;
  return new TsdError('TSD_CONTAINER_SETUP', message, {
    step: 'enter the container',
    hint: '`tsdocker restart` starts it again. With `init: true` in the manifest the program is not the first process and may do so.',
  });
}

/**
 * Opens what the container's first process is in. What is opened is checked, not looked up again: whatever the process
 * does afterwards changes nothing of it.
 * @throws TSD_CONTAINER_NOT_RUNNING, and TSD_CONTAINER_SETUP when the process is not where it was started any more.
 */
export function openContainer(target: ExecTarget): ContainerEntry {
  const opened: number[] = [];
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  const close = (): void => {
    for (const fd of opened.splice(0)) closeSync(fd);
  };
  const place = `/proc/${target.pid}`;
  try {
    const root = keep(openDirectory('open the root of the container', `${place}/root`));
    const namespaces = Object.fromEntries(
      NAMESPACES.map((name) => [name, keep(openSync(`${place}/ns/${name}`, 'r'))]),
    ) as ContainerEntry['namespaces'];
    // Opened last: a process in our user namespace now has been in no other before.
    const user = keep(openSync(`${place}/ns/user`, 'r'));
    if (!isOwnUserNamespace(user) || !Object.values(namespaces).every(isOfOwnUserNamespace)) throw elsewhere(target);
    if (startTimeOf(target.pid) !== target.startTime) throw gone(target);
    return { root, namespaces, close };
  } catch (error) {
    close();
    throw startTimeOf(target.pid) === target.startTime ? error : gone(target);
  }
}
