/** Fields that have no meaning in a namespace that a container shares. */
import { namespaceMode } from '../../model/kinds/namespace-forms.ts';
import { isOfIpc, isOfNetwork } from '../../model/kinds/sysctl-forms.ts';
import { networkMode, ownsNamespace } from '../../model/network-mode.ts';
import type { ResourceDraft } from './draft.ts';

function leaveOut(container: ResourceDraft, field: string, where: string): void {
  if (container.get(field) === undefined) return;
  container.warn(container.placeOf(field), `${field} has no meaning with ${where}`);
  container.remove(field);
}

function leaveOutSettings(container: ResourceDraft, isShared: (name: string) => boolean, where: string): void {
  const settings = (container.get('sysctls') ?? {}) as Readonly<Record<string, unknown>>;
  const kept = Object.entries(settings).filter(([name]) => !isShared(name));
  const at = container.placeOf('sysctls');
  for (const name of Object.keys(settings).filter(isShared)) container.warn(at, `${name} has no meaning with ${where}`);
  if (kept.length === Object.keys(settings).length) return;
  container.remove('sysctls');
  if (kept.length > 0) container.set('sysctls', Object.fromEntries(kept), at);
}

/** Takes away what contradicts the namespaces that a container shares. */
export function respectNamespaces(container: ResourceDraft): void {
  const text = (field: string): string => String(container.get(field) ?? '');
  const [pid, ipc] = [text('pid'), text('ipc')];
  if (namespaceMode(pid).type !== 'own') leaveOut(container, 'init', `pid: ${pid}`);
  if (text('uts') === 'host') {
    leaveOut(container, 'hostname', 'uts: host');
    leaveOut(container, 'domainname', 'uts: host');
  }
  if (!['', 'private', 'shareable'].includes(ipc)) leaveOut(container, 'shmSize', `ipc: ${ipc}`);
  if (namespaceMode(ipc).type !== 'own') leaveOutSettings(container, isOfIpc, `ipc: ${ipc}`);
  if (!ownsNamespace(networkMode(text('network'))))
    leaveOutSettings(container, isOfNetwork, `the network ${text('network')}`);
}
