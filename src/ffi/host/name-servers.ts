/** The name servers that the host uses, as they are at each moment: /etc/resolv.conf, resolv.conf(5). */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';

const FILE = '/etc/resolv.conf';
/** As many as a resolver of libc asks, MAXNS of resolv.h. */
const MOST = 3;
/** What libc asks where none is named. */
const DEFAULT = '127.0.0.1';

/** Those of a file. One with a zone (`fe80::1%eth0`) is left out. */
function serversIn(text: string): readonly string[] {
  const named = [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map(([, address = '']) => address);
  const usable = named.filter((address) => isIP(address) !== 0 && !address.includes('%'));
  return usable.length === 0 ? [DEFAULT] : usable.slice(0, MOST);
}

/** Addresses; null where they cannot be read just now: then those of before are still the best that is known. */
export function readNameServers(): readonly string[] | null {
  try {
    return serversIn(readFileSync(FILE, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? serversIn('') : null;
  }
}
