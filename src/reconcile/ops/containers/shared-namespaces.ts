/** Whose namespaces a run is started in, besides that of its network. */
import type { SharedNamespace, SharedNamespaces } from '../../../drivers/contract/exec.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { namespaceMode } from '../../../model/kinds/namespace-forms.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { resolveReference } from '../../plan/references.ts';

interface NamespacePorts {
  readonly containers: Pick<ContainerStore, 'byKey'>;
}

function shared(ports: NamespacePorts, { key, app }: Desired, text: string | null | undefined): SharedNamespace | null {
  const mode = namespaceMode(text);
  if (mode.type === 'own') return null;
  if (mode.type === 'host') return 'host';
  const holder: ResourceKey = resolveReference('container', app, mode.name);
  const record = ports.containers.byKey(holder);
  if (record) return { containerId: record.id };
  const message = `there is no ${holder} whose namespace it could share`;
  throw new TsdError('TSD_CONTAINER_NOT_RUNNING', message, { class: 'unavailable', key });
}

export function sharedNamespaces(ports: NamespacePorts, desired: Desired<'container'>): SharedNamespaces {
  const { spec } = desired;
  const pid = shared(ports, desired, spec.pid);
  const ipc = shared(ports, desired, spec.ipc);
  return {
    ...(pid && { pid }),
    ...(ipc && { ipc }),
    ...(spec.uts === 'host' && { uts: 'host' as const }),
    ...(spec.cgroupns === 'host' && { cgroup: 'host' as const }),
  };
}
