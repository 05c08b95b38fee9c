/** Services: what they publish on the host. */
import type { Draft, ResourceDraft } from '../draft.ts';
import type { Part } from '../part.ts';

export interface Pod {
  readonly labels: Part | undefined;
  /** The container that has the pod's network. */
  readonly owner: ResourceDraft;
  /** Init containers, each with a network of its own. */
  readonly inits: readonly ResourceDraft[];
  /** Ports of its containers that have a name. */
  readonly portNames: ReadonlyMap<string, string>;
}

function selects(selector: Part, { labels }: Pod): boolean {
  const entries = selector.entries();
  return entries.length > 0 && entries.every(([name, value]) => labels?.textOf(name) === value.text());
}

/** The port of the container, which may be named. */
function targetPort(port: Part, { portNames }: Pod): string {
  const target = port.textOf('targetPort') ?? port.textOf('port') ?? '';
  return /^\d+$/.test(target) ? target : (portNames.get(target) ?? target);
}

/** Why the name of a service does not lead to its pod; null when it does. */
function whyUnknown(name: string, spec: Part | undefined, pod: Pod): string | null {
  if (pod.owner.name !== name) return `its name does not resolve; the container is called ${pod.owner.name}`;
  const moved = (spec?.get('ports')?.items() ?? []).find((port) => port.textOf('port') !== targetPort(port, pod));
  if (!moved) return null;
  return `its name is that of the container, where port ${moved.textOf('port') ?? ''} is ${targetPort(moved, pod)}`;
}

/** NodePort and LoadBalancer become published ports; the names of others resolve where a container has the same. */
export function publishService(service: Part, pods: readonly Pod[], draft: Draft): void {
  const spec = service.get('spec');
  const name = service.get('metadata')?.textOf('name') ?? '';
  const type = spec?.textOf('type') ?? 'ClusterIP';
  const selector = spec?.get('selector');
  const pod = selector && pods.find((one) => selects(selector, one));
  if (!pod) {
    draft.warn(service.at, `Service ${name} selects no pod of this file, so its name does not resolve`);
    return;
  }
  const unknown = whyUnknown(name, spec, pod);
  const published = type === 'NodePort' || type === 'LoadBalancer';
  const notes = [...(published ? ['its ports are published on the host'] : []), ...(unknown === null ? [] : [unknown])];
  if (notes.length > 0) draft.warn(service.at, `Service ${name}: ${notes.join('; ')}`);
  if (!published) return;
  for (const port of spec?.get('ports')?.items() ?? []) {
    const published = type === 'NodePort' ? (port.textOf('nodePort') ?? '') : (port.textOf('port') ?? '');
    const protocol = (port.textOf('protocol') ?? 'TCP').toLowerCase();
    const left = published === '' ? '' : `${published}:`;
    pod.owner.append('ports', `${left}${targetPort(port, pod)}/${protocol}`, port.at);
  }
}
