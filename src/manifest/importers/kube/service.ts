/** Services: what they publish on the host. */
import type { Draft, ResourceDraft } from '../draft.ts';
import type { Part } from '../part.ts';

export interface Pod {
  readonly labels: Part | undefined;
  /** The container that has the pod's network. */
  readonly owner: ResourceDraft;
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

/** NodePort and LoadBalancer become published ports; other services have no counterpart. */
export function publishService(service: Part, pods: readonly Pod[], draft: Draft): void {
  const spec = service.get('spec');
  const name = service.get('metadata')?.textOf('name') ?? '';
  const type = spec?.textOf('type') ?? 'ClusterIP';
  if (type !== 'NodePort' && type !== 'LoadBalancer') {
    draft.warn(service.at, `Service ${name}: names of services do not resolve in this version; use links`);
    return;
  }
  const selector = spec?.get('selector');
  const pod = selector && pods.find((one) => selects(selector, one));
  if (!pod) {
    draft.warn(service.at, `Service ${name} selects no pod of this file`);
    return;
  }
  draft.warn(service.at, `Service ${name}: its ports are published on the host; its name does not resolve`);
  for (const port of spec?.get('ports')?.items() ?? []) {
    const published = type === 'NodePort' ? (port.textOf('nodePort') ?? '') : (port.textOf('port') ?? '');
    const protocol = (port.textOf('protocol') ?? 'TCP').toLowerCase();
    const left = published === '' ? '' : `${published}:`;
    pod.owner.append('ports', `${left}${targetPort(port, pod)}/${protocol}`, port.at);
  }
}
