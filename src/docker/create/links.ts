/** Links to other containers. */
import { membershipsOf } from '../../model/kinds/network-membership.ts';
import { networkKey, networkMode } from '../../model/network-mode.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { type CreateContext, type KnownContainer, referenceTo, refuse } from './context.ts';
import type { Endpoint } from './endpoints.ts';

export interface LinkedTo {
  readonly key: ResourceKey;
  readonly alias: string;
  /** As a specification writes it. */
  readonly text: string;
}

/** `db`, `db:alias`, and `/db:/web/alias`, as an inspection shows links. */
function parse(text: string): { readonly name: string; readonly alias: string } {
  if (text === '') refuse('empty string specified for links');
  const [name = '', alias = name, ...more] = text.split(':');
  if (more.length > 0 || name === '' || alias === '') refuse(`bad format for links: ${text}`);
  const bare = (path: string): string => path.split('/').at(-1) ?? '';
  return { name: name.replace(/^\//, ''), alias: bare(alias) };
}

/** How a container calls what it links to. */
export const linkAlias = (text: string): string => text.split('/').at(-1)?.split(':').at(-1) ?? '';

function checkTarget(target: KnownContainer, endpoints: readonly Endpoint[]): void {
  const mode = networkMode(target.spec.network);
  if (mode.type === 'host')
    refuse(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  const { app } = parseKey(target.key);
  const theirs = membershipsOf(target.spec).map(({ network }) => networkKey(app, network));
  if (endpoints.some(({ network: { key } }) => key !== null && theirs.includes(key))) return;
  const [first] = endpoints;
  const network = first?.network.spec === null ? 'the default network' : `network ${first?.network.name}`;
  refuse(`Cannot link to /${target.name}, as it does not belong to ${network}`);
}

/** @throws DockerError 400 */
export function linksOf(
  texts: readonly string[],
  endpoints: readonly Endpoint[],
  context: Pick<CreateContext, 'container'>,
): readonly LinkedTo[] {
  const byAlias = new Map<string, LinkedTo>();
  for (const { name, alias } of texts.map(parse)) {
    const target = context.container(name);
    if (target === null) refuse(`could not get container for ${name}: No such container: ${name}`);
    checkTarget(target, endpoints);
    if (!byAlias.has(alias))
      byAlias.set(alias, { key: target.key, alias, text: `${referenceTo(target.key)}:${alias}` });
  }
  return [...byAlias.values()];
}
