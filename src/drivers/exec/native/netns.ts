/** The network namespace that a run was started in, found again after the supervisor that created it has ended. */
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { isOfOwnUserNamespace } from '../../../ffi/process/namespace-owner.ts';
import { namespaceIdentity, openOwnNetns } from '../../../ffi/process/namespaces.ts';
import { TsdError } from '../../../model/errors/errors.ts';

interface RunProcesses {
  readonly pid: number;
  readonly shimPid: number;
}

/**
 * Opens it from the shim or, when a version started the run whose shim holds none, from the payload. The caller closes it.
 * @throws TSD_NETWORK when there is none, or when the payload created it without rights on the host
 */
export function openNetnsOf({ shimPid, pid }: RunProcesses): number {
  const step = `find the network namespace of process ${pid}`;
  try {
    const host = hostIdentity();
    const found = heldBy(shimPid, host) ?? openForeign(`/proc/${pid}/ns/net`, host);
    if (found !== null) return ofOurs(found, pid, step);
  } catch (cause) {
    if (cause instanceof TsdError) throw cause;
    throw new TsdError('TSD_NETWORK', `${step}: ${(cause as Error).message}`, { class: 'not-found', step, cause });
  }
  throw new TsdError('TSD_NETWORK', `${step}: it has none but the host's`, { class: 'not-found', step });
}

function hostIdentity(): string {
  const own = openOwnNetns();
  try {
    return namespaceIdentity(own);
  } finally {
    closeSync(own);
  }
}

/** Opens a namespace file; null when it is the host's namespace. */
function openForeign(path: string, host: string): number | null {
  const fd = openSync(path, 'r');
  if (namespaceIdentity(fd) !== host) return fd;
  closeSync(fd);
  return null;
}

/** A shim is in the host's namespace and has the sandbox open. Null for one of before shims did. */
function heldBy(shimPid: number, host: string): number | null {
  for (const entry of readdirSync(`/proc/${shimPid}/fd`)) {
    const path = `/proc/${shimPid}/fd/${entry}`;
    if (!isNetnsFile(path)) continue;
    const fd = openForeign(path, host);
    if (fd !== null) return fd;
  }
  return null;
}

/** In a network that belongs to a user namespace of the payload's own, the payload has all rights: nothing of ours goes there. */
function ofOurs(netnsFd: number, pid: number, step: string): number {
  if (isOfOwnUserNamespace(netnsFd)) return netnsFd;
  closeSync(netnsFd);
  const message = `the first process (${pid}) of the container has left its network for one of its own`;
  const hint = '`tsdocker restart` starts it again, in a network that is ours.';
  throw new TsdError('TSD_NETWORK', message, { class: 'precondition', step, hint });
}

/** A descriptor may be closed between listing and looking: then it is not the one we want. */
function isNetnsFile(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('net:[');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}
