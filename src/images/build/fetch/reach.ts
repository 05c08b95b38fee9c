/** Connections of what ADD fetches: through the network of the build, not through the host's. */
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Connect } from '../../registry/http.ts';
import { lookUpName, type NameServers, type OpenSocket, socketOf } from './name-lookup.ts';

/** How a build reaches others. */
export interface BuildReach {
  readonly open: OpenSocket;
  readonly names: NameServers;
}

/** Clouds serve the credentials of a machine there, to whoever asks from it. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16, 'ipv4');
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4');

/** Connects from within the namespace of the build, to one address of the name after the other. */
export function connectThrough({ open, names }: BuildReach): Connect {
  return async (host, port, signal) => {
    // URLs have IPv6 addresses in brackets.
    const name = host.replace(/^\[|\]$/g, '');
    const addresses = isIP(name) === 0 ? await lookUpName(name, names, open, signal) : [name];
    let failure = new Error(`name ${name} has no IPv4 address`);
    for (const address of addresses) {
      refuseLinkLocal(address, host);
      try {
        return await connected(open('tcp', familyOf(address)), address, port, signal);
      } catch (thrown) {
        signal.throwIfAborted();
        failure = ofOwnLoopback(thrown as Error, address);
      }
    }
    throw failure;
  };
}

function connected(fd: number, address: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = socketOf(fd);
    const stop = (): void => void socket.destroy(signal.reason as Error);
    const failed = (error: Error): void => {
      signal.removeEventListener('abort', stop);
      socket.destroy();
      reject(error);
    };
    if (signal.aborted) return failed(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', failed);
    // An address and no name: with a name node would make other sockets, in the host's namespace.
    socket.connect(port, address, () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

function refuseLinkLocal(address: string, host: string): void {
  if (!LINK_LOCAL.check(address, familyOf(address))) return;
  const what = address === host ? address : `${host} is ${address},`;
  throw new TsdError('TSD_DOWNLOAD', `${what} a link-local address, which ADD does not reach`, {
    class: 'invalid',
    hint: 'Fetch it before the build, and put it into the build context.',
  });
}

/** The same address means another machine than to who wrote it. */
function ofOwnLoopback(error: Error, address: string): Error {
  if (!LOOPBACK.check(address, familyOf(address))) return error;
  return new TsdError(
    'TSD_DOWNLOAD',
    `${address} is the loopback of the build, where nothing serves: ${error.message}`,
    {
      class: 'precondition',
      hint: 'Name an address of the host, or give the build its network: `build: { network: host }`, `tsdocker build --network host`.',
      cause: error,
    },
  );
}
