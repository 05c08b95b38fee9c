/** The environment a payload sees: Docker's base variables, links, the image's, then the manifest's. */

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ContainerEnvInput {
  readonly hostname: string;
  readonly domainname: string;
  readonly tty: boolean;
  /** Each list as `K=V`; a later list wins over an earlier one, a key keeps the place where it first stood. */
  readonly layers: readonly (readonly string[])[];
}

function keyOf(entry: string): string {
  const equals = entry.indexOf('=');
  return equals < 0 ? entry : entry.slice(0, equals);
}

/** `K=V` in Docker 1.4's order: PATH, HOSTNAME, TERM with a terminal, link variables, configuration. */
export function containerEnv({ hostname, domainname, tty, layers }: ContainerEnvInput): string[] {
  const fullName = domainname === '' ? hostname : `${hostname}.${domainname}`;
  const merged = new Map<string, string>();
  const base = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${fullName}`, ...(tty ? ['TERM=xterm'] : [])];
  for (const entry of [base, ...layers].flat()) merged.set(keyOf(entry), entry);
  return [...merged.values()];
}
