/** Mounts as a manifest writes them. */

export interface Mount {
  /** A volume's name or a path of the host; null for an anonymous volume. */
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
}

/** As short as it can be written; colons in a path need the long form. */
export function mountText({ source, target, readOnly }: Mount): unknown {
  if (source === null && !target.includes(':') && !readOnly) return target;
  if (source === null || source.includes(':') || target.includes(':')) {
    return { ...(source !== null && { source }), target, ...(readOnly && { readOnly }) };
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
