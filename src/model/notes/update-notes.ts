/** What manifests say that is right and will surprise: a container gets another address, and others may hold the old one. Pure. */
import type { Desired } from '../desired.ts';
import { networkMode } from '../network-mode.ts';
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

function bridged({ spec, references }: Container): string | null {
  if (references.network !== null) return references.network;
  return networkMode(spec.network).type === 'bridge' ? 'bridge' : null;
}

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

function noteOf(container: Container, peers: readonly Container[]): DeclarationNote | null {
  const { key, app, name, positions, source } = container;
  const users = peers.filter((peer) => uses(peer, key));
  const deaf = users.filter(({ spec }) => spec.onDependencyRestart === 'nothing');
  // Those that it uses itself have no reason to look it up; on the default network other apps mostly do not either.
  const strangers =
    users.length > 0
      ? []
      : peers.filter((peer) => !uses(container, peer.key) && (peer.app === app || bridged(peer) !== 'bridge'));
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

/** Returns notes on start-first containers whose neighbours may keep using an address that no container has any more. */
export function updateNotes(resources: ReadonlyMap<ResourceKey, Desired>): DeclarationNote[] {
  const containers = [...resources.values()].filter((resource): resource is Container => resource.kind === 'container');
  const moving = containers.filter(({ spec }) => spec.update.order === 'start-first');
  if (moving.length === 0) return [];
  const byNetwork = new Map<string, Container[]>();
  for (const container of containers) {
    const network = bridged(container);
    if (network !== null) byNetwork.set(network, [...(byNetwork.get(network) ?? []), container]);
  }
  return moving.flatMap((container) => {
    const peers = byNetwork.get(bridged(container) ?? '') ?? [];
    return (
      noteOf(
        container,
        peers.filter(({ key }) => key !== container.key),
      ) ?? []
    );
  });
}
