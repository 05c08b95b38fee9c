/** Who has a port of this host: /proc/net/{tcp,tcp6,udp,udp6} and the descriptors of all processes (proc(5)). */
import { readdirSync, readlinkSync } from 'node:fs';
import { readTextOrEmpty } from '../files/text-files.ts';

const TCP_LISTEN = '0A';

/** Inodes of the sockets bound to a local port, TCP only when listening. */
function socketInodes(port: number, protocol: 'tcp' | 'udp'): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = new Set<string>();
  for (const file of [protocol, `${protocol}6`]) {
    for (const line of readTextOrEmpty(`/proc/thread-self/net/${file}`).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const inode = fields[9];
      if (inode === undefined || fields[1]?.endsWith(suffix) !== true) continue;
      if (protocol === 'udp' || fields[3] === TCP_LISTEN) inodes.add(inode);
    }
  }
  return inodes;
}

function holds(pid: string, links: ReadonlySet<string>): boolean {
  let descriptors: string[];
  try {
    descriptors = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return false;
  }
  return descriptors.some((fd) => {
    try {
      return links.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false;
    }
  });
}

/** `nginx (pid 812)`; null when no process is found: it ended meanwhile, or lives in another pid namespace. */
export function portHolder(port: number, protocol: 'tcp' | 'udp'): string | null {
  const links = new Set([...socketInodes(port, protocol)].map((inode) => `socket:[${inode}]`));
  if (links.size === 0) return null;
  const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && holds(entry, links));
  return pid === undefined ? null : `${readTextOrEmpty(`/proc/${pid}/comm`).trim()} (pid ${pid})`;
}
