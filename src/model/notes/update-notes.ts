/** What manifests say that is right and will surprise: a container gets another address, and others may hold the old one. Pure. */
import type { Desired } from '../desired.ts';
import { DEFAULT_NETWORK } from '../network-mode.ts';
import { parseKey, type ResourceKey, type SourcePosition } from '../resource.ts';

type Container = Desired<'container'>;

/** A remark about a declaration; it keeps nothing from being done. */
export interface DeclarationNote {
  readonly key: ResourceKey;
  readonly message: string;
  /** The field to write as a remedy. */
  readonly hint: string;
  readonly source: SourcePosition;
  /** It takes protection away. */
  readonly warning?: true;
}

/** Others that are named in one remark. */
const NAMED = 3;

const REMEDY = '`onDependencyRestart: restart` (or `signal:HUP`, where it looks names up again at that signal)';

function uses({ references }: Container, key: ResourceKey): boolean {
  return references.links.includes(key) || references.dependsOn.includes(key);
}

function listed(containers: readonly Container[], app: string): string {
  const names = containers.slice(0, NAMED).map(({ key }) => {
    const of = parseKey(key);
    return of.app === app ? of.name : `${of.app}/${of.name}`;
  });
  const more = containers.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Whether two containers of one app, or of two, have a network in common on which one would look for the other. */
const isNear = (container: Container, peer: Container): boolean =>
  peer.app === container.app ||
  peer.references.networks.some((key) => key !== DEFAULT_NETWORK && container.references.networks.includes(key));

function noteOf(container: Container, peers: readonly Container[]): DeclarationNote | null {
  const { key, app, name, positions, source } = container;
  const users = peers.filter((peer) => uses(peer, key));
  const deaf = users.filter(({ spec }) => spec.onDependencyRestart === 'nothing');
  // Those that it uses itself have no reason to look it up; on the default network other apps mostly do not either.
  const strangers =
    users.length > 0 ? [] : peers.filter((peer) => !uses(container, peer.key) && isNear(container, peer));
  const holders = deaf.length > 0 ? deaf : strangers;
  if (holders.length === 0) return null;
  const who = listed(holders, app);
  const target = holders.some((holder) => holder.app !== app) ? `${app}/${name}` : name;
  const write =
    deaf.length > 0
      ? `Write ${REMEDY} at ${who}.`
      : `Where one of them does, write \`dependsOn: [${target}]\` and ${REMEDY} there.`;
  return {
    key,
    message: `a start-first update gives ${name} another address, and ${who} may hold the old one (a proxy such as nginx looks a name up once)`,
    hint: write,
    source: positions['update.order'] ?? positions.update ?? source,
  };
}

/** Two containers of a bridge can share an address while it moves; elsewhere the successor has another one. */
const KEEPS_ADDRESS = 'bridge';

/** Networks on which a start-first update changes the address. */
function changingNetworks(resources: ReadonlyMap<ResourceKey, Desired>): ReadonlySet<ResourceKey> {
  const networks = [...resources.values()].filter((resource): resource is Desired<'network'> => {
    return resource.kind === 'network';
  });
  const changing = networks.filter(({ spec }) => (spec.driver ?? KEEPS_ADDRESS) !== KEEPS_ADDRESS);
  return new Set(changing.map(({ key }) => key));
}

/** Returns notes on start-first containers whose neighbours may keep using an address that no container has any more. */
export function updateNotes(resources: ReadonlyMap<ResourceKey, Desired>): DeclarationNote[] {
  const containers = [...resources.values()].filter((resource): resource is Container => resource.kind === 'container');
  const changing = changingNetworks(resources);
  const moving = containers.filter(
    ({ spec, references }) =>
      spec.update.order === 'start-first' && references.networks.some((network) => changing.has(network)),
  );
  if (moving.length === 0) return [];
  const byNetwork = new Map<string, Container[]>();
  for (const container of containers) {
    for (const network of container.references.networks)
      byNetwork.set(network, [...(byNetwork.get(network) ?? []), container]);
  }
  return moving.flatMap((container) => {
    const on = container.references.networks.filter((network) => changing.has(network));
    const peers = new Set(on.flatMap((network) => byNetwork.get(network) ?? []));
    peers.delete(container);
    return noteOf(container, [...peers]) ?? [];
  });
}
