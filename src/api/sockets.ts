/** Makes the sockets a supervisor listens on: its own by path, or those systemd hands over. */
import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { trySyscall } from '../ffi/call/native.ts';
import { makePath } from '../ffi/files/make-path.ts';
import { TsdError } from '../model/errors/errors.ts';
import { DEFAULT_GROUP, type HostAddress } from './address.ts';
import { groupId } from './group-id.ts';

const SOCKET_MODE = 0o660;
/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST_SYSTEMD_FD = 3;
/** linux/fcntl.h */
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** What to pass to net.Server.listen(). */
export type ListenTarget = { readonly path: string } | { readonly fd: number };

/**
 * The listening sockets of one address.
 * @throws TsdError TSD_FLAG when `fd://` finds no socket.
 */
export function listenTargets(address: HostAddress, env: NodeJS.ProcessEnv, pid: number): readonly ListenTarget[] {
  return address.type === 'unix' ? [{ path: address.path }] : systemdFds(address.name, env, pid);
}

function systemdFds(name: string | null, env: NodeJS.ProcessEnv, pid: number): readonly ListenTarget[] {
  const count = Number(env.LISTEN_PID) === pid ? Number(env.LISTEN_FDS) : 0;
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  const targets: { fd: number }[] = [];
  for (let index = 0; index < count; index += 1) {
    if (name === null || names[index] === name) targets.push({ fd: FIRST_SYSTEMD_FD + index });
  }
  if (targets.length === 0) {
    throw new TsdError('TSD_FLAG', `no socket was handed over for fd://${name ?? ''}`, {
      hint: 'fd:// is for a service started through its systemd socket unit; otherwise use unix:///path.',
    });
  }
  // Handed over without the flag (sd_listen_fds(3)): a payload that inherits one would keep the socket alive.
  for (const { fd } of targets) trySyscall('fcntl', fd, F_SETFD, FD_CLOEXEC);
  return targets;
}

/**
 * Removes a socket without a listener. Anything else at the path stays.
 * @throws TsdError TSD_FLAG for what is no socket, TSD_LOCKED when it has a listener.
 */
async function clearStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new TsdError('TSD_FLAG', `${path} exists and is not a socket; it is left as it is`, {
      hint: 'Move it away or choose another socket with -H.',
      step: `bind ${path}`,
    });
  }
  if (await somebodyAnswers(path)) {
    throw new TsdError('TSD_LOCKED', `another process already listens on ${path}`, { step: `bind ${path}` });
  }
  unlinkSync(path);
}

function somebodyAnswers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      // EAGAIN: a listener whose queue is full.
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(new TsdError('TSD_FLAG', `cannot look at ${path}: ${error.message}`, { cause: error }));
    });
  });
}

/**
 * Binds and listens; a socket by path is born with mode 0660 and given to `group` (null: left as it is).
 * @throws TsdError TSD_FLAG, TSD_LOCKED.
 */
export async function listen(server: Server, target: ListenTarget, group: string | null): Promise<void> {
  if ('path' in target) {
    makeParent(target.path);
    await clearStaleSocket(target.path);
  }
  const failed = new Promise<never>((_resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = 'path' in target ? target.path : `fd ${target.fd}`;
      reject(new TsdError('TSD_FLAG', `cannot listen on ${where}: ${error.message}`, { step: 'listen', cause: error }));
    });
  });
  const listening = new Promise<void>((resolve) => server.once('listening', resolve));
  // bind(2) happens inside listen(): the mask makes sure that the socket is never open to everyone.
  const mask = process.umask(0o777 & ~SOCKET_MODE);
  try {
    server.listen({ ...target });
  } finally {
    process.umask(mask);
  }
  await Promise.race([listening, failed]);
  server.removeAllListeners('error');
  if ('path' in target) giveToGroup(target.path, group);
}

function makeParent(path: string): void {
  try {
    makePath(dirname(path), 0o755);
  } catch (cause) {
    throw new TsdError('TSD_FLAG', `cannot make ${dirname(path)}: ${(cause as Error).message}`, { cause });
  }
}

function giveToGroup(path: string, group: string | null): void {
  chmodSync(path, SOCKET_MODE);
  if (group === null) return;
  const gid = groupId(group);
  if (gid !== null) {
    chownSync(path, -1, gid);
  } else if (group !== DEFAULT_GROUP) {
    throw new TsdError('TSD_FLAG', `there is no group ${group} to give the socket to`, {
      hint: `Create it with groupadd ${group}, or choose another with --group.`,
    });
  }
}
