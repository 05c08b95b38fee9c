import { TsdError } from '../../model/errors/errors.ts';

const AF_UNIX = 1;
/** sizeof(sockaddr_un.sun_path), unix(7). */
const PATH_BYTES = 108;

/** struct sockaddr_un for a path; `@name` is the abstract socket of that name. */
export function addressOfPath(path: string): Buffer {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > PATH_BYTES) throw new TsdError('TSD_FLAG', `socket path is longer than 107 bytes: ${path}`);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, name]);
}
