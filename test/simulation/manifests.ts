/** The part of validation that the simulated edits need: an edit that is not valid as a whole changes nothing. */
import type { Desired, DesiredState } from '../../src/model/desired.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import { dependenciesOf, isContainer, ownsSandbox } from '../../src/reconcile/plan/references.ts';
import { type App, declare } from '../support/declare.ts';

function missing(desired: DesiredState, resource: Desired): ResourceKey | undefined {
  return dependenciesOf(resource).find((key) => key !== 'network//bridge' && !desired.resources.has(key));
}

function hostPorts(resource: Desired<'container'>): string[] {
  return resource.spec.ports.filter(({ hostPort }) => hostPort !== null).map((p) => `${p.hostPort}/${p.protocol}`);
}

function isCircular(desired: DesiredState, from: ResourceKey, path: readonly ResourceKey[] = []): boolean {
  if (path.includes(from)) return true;
  const resource = desired.resources.get(from);
  return resource !== undefined && dependenciesOf(resource).some((key) => isCircular(desired, key, [...path, from]));
}

function isValid(desired: DesiredState): boolean {
  const ports = new Set<string>();
  for (const resource of desired.resources.values()) {
    if (missing(desired, resource) || isCircular(desired, resource.key)) return false;
    if (!isContainer(resource)) continue;
    if (!isLinkable(desired, resource) || !mayStartFirst(desired, resource)) return false;
    for (const port of hostPorts(resource)) {
      if (ports.has(port)) return false;
      ports.add(port);
    }
  }
  return true;
}

/** Links need a common network, in which both have an address. */
function isLinkable(desired: DesiredState, { references }: Desired<'container'>): boolean {
  return references.links.every((key) => {
    const target = desired.resources.get(key);
    if (!target || !isContainer(target) || !ownsSandbox(target.spec)) return false;
    return target.references.networks.some((network) => references.networks.includes(network));
  });
}

/** Two live side by side for a while: with a namespace each, which no one else uses. */
function mayStartFirst(desired: DesiredState, { key, spec }: Desired<'container'>): boolean {
  if (spec.update.order === 'stop-first') return true;
  const shared = [...desired.resources.values()].some((other) => other.references.networkContainer === key);
  return ownsSandbox(spec) && !shared;
}

/** The desired state of these apps, or null when they do not fit together. */
export function resolveApps(apps: Readonly<Record<string, App>>, generation: number): DesiredState | null {
  const desired = declare(apps, generation);
  return isValid(desired) ? desired : null;
}
