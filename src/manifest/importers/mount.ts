/** Mounts as a manifest writes them. */
import { isFileName } from '../../model/host-files.ts';
import type { Propagation } from '../../model/kinds/short-forms.ts';

export interface Mount {
  /** A volume's name or a path of the host; null for an anonymous volume. */
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
  /** A missing directory of the host is created. */
  readonly create?: boolean;
  /** A file of which no copy may be kept. */
  readonly secret?: boolean;
  /** Of a bind; left out, as usual. */
  readonly propagation?: Propagation;
}

/** Files mounted here are secrets by default. */
const SECRETS = '/run/secrets/';

/** Docker makes a directory of every missing source; where a file was meant, that hides what is wrong. */
export const mayBeDirectory = (source: string, target: string): boolean => !isFileName(source) && !isFileName(target);

/** As short as it can be written; colons in a path need the long form. */
export function mountText({ source, target, readOnly, create = false, secret = false, propagation }: Mount): unknown {
  if (secret && !target.startsWith(SECRETS)) return { source, target, readOnly, secret };
  if (source === null && !target.includes(':') && !readOnly) return target;
  if (source === null || source.includes(':') || target.includes(':') || create || propagation) {
    return {
      ...(source !== null && { source }),
      target,
      ...(readOnly && { readOnly }),
      ...(create && { create }),
      ...(propagation && { propagation }),
    };
  }
  return `${source}:${target}${readOnly ? ':ro' : ''}`;
}

/** Options of Docker and Podman by which SELinux labels the source of a mount. */
export const isLabelOption = (option: string): boolean => option === 'z' || option === 'Z';
export const NO_LABELS = 'mount options z and Z: SELinux labels are not in this version; no source is labelled';

/** Sockets by which a program manages all containers of a host. */
const ENGINE_SOCKET = /(^|\/)(docker|podman)\.sock$/;

/** What it means to mount the socket of another engine; null for any other source. */
export function engineSocketWarning(source: string | null): string | null {
  if (source === null || !ENGINE_SOCKET.test(source)) return null;
  const engine = source.endsWith('podman.sock') ? 'Podman' : 'Docker';
  return (
    `${source} is the socket of ${engine}, not of tsdocker: what uses it needs a running ${engine}, sees no container ` +
    'of tsdocker, and is as good as root on this host'
  );
}
