/** The name servers that the host uses, as they are at each moment. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Server } from '../../resolver/protocol.ts';
import { readResolvConf } from '../../state/containers/resolv-conf.ts';

const FILE = '/etc/resolv.conf';
/** As many as a resolver of libc asks, MAXNS of resolv.h. */
const MOST = 3;
const PORT = 53;
/** What libc asks where none is named, resolv.conf(5). */
const DEFAULT = '127.0.0.1';

/** Those of a file. One with a zone (`fe80::1%eth0`) is left out. */
function serversIn(text: string): readonly Server[] {
  const given = readResolvConf(text).servers.filter((address) => isIP(address) !== 0 && !address.includes('%'));
  return (given.length === 0 ? [DEFAULT] : given.slice(0, MOST)).map((address) => ({ address, port: PORT }));
}

/** Null where they cannot be read just now: then those of before are still the best that is known. */
export function hostServers(): readonly Server[] | null {
  try {
    return serversIn(readFileSync(FILE, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? serversIn('') : null;
  }
}
