/** Where a supervisor listens and where a client looks for it: the forms of -H and TSDOCKER_HOST. */
import { TsdError } from '../model/errors/errors.ts';

export const DEFAULT_SOCKET = '/run/tsdocker/tsdocker.sock';

/** The usual group of the socket: used where it exists, and not missed where it does not. */
export const DEFAULT_GROUP = 'tsdocker';

/** `fd` takes the sockets that systemd hands over (sd_listen_fds(3)); null takes all of them. */
export type HostAddress =
  | { readonly type: 'unix'; readonly path: string }
  | { readonly type: 'fd'; readonly name: string | null };

/** sizeof(sun_path) - 1 of unix(7): the kernel cuts nothing off, it refuses. */
const MAX_SOCKET_PATH = 107;

/**
 * Reads `unix:///path`, `unix://` (the default socket), `fd://` or `fd://NAME`.
 * @throws TsdError TSD_FLAG saying what is wrong with it.
 */
export function parseHost(text: string): HostAddress {
  const match = /^(unix|fd|tcp):\/\/(.*)$/s.exec(text);
  if (match === null) {
    throw new TsdError('TSD_FLAG', `Invalid bind address format: ${text}`, {
      hint: `Write unix:///path/to/socket, for example unix://${DEFAULT_SOCKET}.`,
    });
  }
  const rest = match[2] ?? '';
  if (match[1] === 'tcp') {
    throw new TsdError('TSD_FLAG', `${text}: tcp is not in this version`, {
      hint: 'The API is root on this host and has no TLS yet; from elsewhere forward the socket: ssh -L ./tsd.sock:/run/tsdocker/tsdocker.sock HOST.',
    });
  }
  if (match[1] === 'fd') return { type: 'fd', name: rest === '' || rest === '*' ? null : rest };
  return { type: 'unix', path: checkSocketPath(rest === '' ? DEFAULT_SOCKET : rest) };
}

function checkSocketPath(path: string): string {
  if (!path.startsWith('/')) {
    throw new TsdError('TSD_FLAG', `unix://${path}: the path of a socket must be absolute`, {
      hint: `Write unix:///${path}.`,
    });
  }
  if (path.includes('\0')) throw new TsdError('TSD_FLAG', 'the path of a socket cannot contain a zero byte');
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_SOCKET_PATH) {
    throw new TsdError(
      'TSD_FLAG',
      `the socket path is ${bytes} bytes long, the kernel takes ${MAX_SOCKET_PATH}: ${path}`,
      {
        hint: 'Choose a shorter path with -H or --run-dir.',
      },
    );
  }
  return path;
}
