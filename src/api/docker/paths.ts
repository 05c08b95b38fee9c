/** Paths of the Docker API. */

/** The path of an object of which something is asked. */
export function objectPath(kind: 'containers' | 'networks' | 'volumes', name: string, rest = ''): string {
  return `/${kind}/${encodeURIComponent(name)}${rest}`;
}
