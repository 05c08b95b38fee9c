/**
 * The sockets at which a container's names are answered: 127.0.0.11 port 53, inside its namespace. They are bound to another
 * port and the kernel rewrites it on loopback, so that a payload may itself listen on port 53 of all addresses. Where the
 * kernel cannot do that they are bound to port 53, and such a payload finds it taken.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { sysError } from '../../ffi/call/errno.ts';
import { loadPortRewrite, rewriteOnLoopback } from '../../ffi/network/port-rewrite.ts';
import { inNetns } from '../../ffi/process/namespaces.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import type { NameSockets } from '../contract/network.ts';
import { bindSocket } from './bound-socket.ts';
import { withRouteSocket } from './route-socket.ts';

const { errno } = constants;

const ADDRESS = '127.0.0.11';
const PORT = 53;
/** Assigned to no service, and none of those that the kernel picks by itself. */
const SERVED = 60;
/** Answers of bpf(2) and netlink where programs on an interface are not built in, not loadable or forbidden. */
const LACKING: readonly (number | undefined)[] = [
  errno.ENOENT,
  errno.EOPNOTSUPP,
  errno.ENOSYS,
  errno.EINVAL,
  errno.EPERM,
  errno.EACCES,
];

export class NameSocketOpener {
  #program: number | null = null;
  #shortcoming: string | null = null;

  /** Why payloads cannot listen on port 53 beside; null where they can, or nothing was opened so far. */
  get shortcoming(): string | null {
    return this.#shortcoming;
  }

  /** @throws TsdError TSD_SYSCALL when the payload has the port. */
  open(netnsFd: number): NameSockets {
    return inNetns(netnsFd, () => {
      const port = this.#rewrites() ? SERVED : PORT;
      const udp = bound(port, 'udp');
      try {
        return { udp, tcp: bound(port, 'tcp') };
      } catch (error) {
        closeSync(udp);
        throw error;
      }
    });
  }

  close(): void {
    if (this.#program !== null) closeSync(this.#program);
    this.#program = null;
  }

  /** Has the port rewritten in the namespace that this thread is in; false where this kernel cannot. */
  #rewrites(): boolean {
    if (this.#shortcoming !== null) return false;
    try {
      this.#program ??= loadPortRewrite({ address: ADDRESS, port: PORT, served: SERVED });
      const program = this.#program;
      withRouteSocket((socket) => rewriteOnLoopback(socket, program));
      return true;
    } catch (thrown) {
      const error = toTsdError(thrown);
      if (!LACKING.includes(error.errno)) throw error;
      this.#shortcoming = describeError(error);
      return false;
    }
  }
}

function bound(port: number, protocol: 'tcp' | 'udp'): number {
  const result = bindSocket({ address: ADDRESS, port, protocol });
  if (result < 0) throw sysError('bind', -result, `listen on ${ADDRESS}:${port}/${protocol} in the container`);
  return result;
}
