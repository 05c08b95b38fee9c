/** Whose namespaces a container is in: its own, those of the host, or of another container. */

import type { ContainerSpec } from '../../model/kinds/container.ts';
import { namespaceMode, sharedNamespace } from '../../model/kinds/namespace-forms.ts';
import { isOfIpc, isOfNetwork } from '../../model/kinds/sysctl-forms.ts';
import { networkMode, ownsNamespace } from '../../model/network-mode.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ContainerBody, HostConfigBody } from './container-body.ts';
import { type CreateContext, containerOf, type KnownContainer, referenceTo, refuse, type Section } from './context.ts';

export interface NamespacesSection extends Section {
  /** Those whose namespaces it shares. */
  readonly namespaceContainers: readonly ResourceKey[];
}

/** The container of `container:NAME`. */
function otherOf(mode: string, what: string, context: CreateContext): KnownContainer | null {
  const found = namespaceMode(mode);
  if (found.type !== 'container') return null;
  return found.name === '' ? refuse(`invalid ${what} mode: ${mode}`) : containerOf(context, found.name);
}

function ipcOther(mode: string, context: CreateContext): KnownContainer | null {
  const other = otherOf(mode, 'IPC', context);
  if (other !== null && other.spec.ipc !== 'shareable') {
    const hint = 'hint: use IpcMode:shareable for the donor container';
    refuse(`failed to join IPC namespace: container ${other.name}: non-shareable IPC (${hint})`);
  }
  return other;
}

function checkWords(body: HostConfigBody): void {
  const known = [
    ['IPC', body.IpcMode, ['', 'private', 'shareable', 'host', 'none']],
    ['PID', body.PidMode, ['', 'host']],
    ['UTS', body.UTSMode, ['', 'host']],
    ['cgroup namespace', body.CgroupnsMode, ['', 'private', 'host']],
    // No user is remapped: those of a container are those of the host.
    ['user namespace', body.UsernsMode, ['', 'host']],
  ] as const;
  for (const [name, mode, words] of known) {
    const joins = (name === 'IPC' || name === 'PID') && namespaceMode(mode).type === 'container';
    if (!joins && !words.some((word) => word === mode)) refuse(`invalid ${name} mode: ${mode}`);
  }
}

const written = (mode: string, other: KnownContainer | null): string =>
  other === null ? mode : sharedNamespace(referenceTo(other.key));

export function namespacesSection(
  { Hostname, Domainname, HostConfig }: ContainerBody,
  context: CreateContext,
): NamespacesSection {
  checkWords(HostConfig);
  const { IpcMode, PidMode, UTSMode, CgroupnsMode } = HostConfig;
  if (UTSMode === 'host' && Hostname !== '') refuse('conflicting options: hostname and the UTS mode');
  if (UTSMode === 'host' && Domainname !== '') refuse('conflicting options: domainname and the UTS mode');
  const [pid, ipc] = [otherOf(PidMode, 'PID', context), ipcOther(IpcMode, context)];
  return {
    written: {
      ...(PidMode !== '' && { pid: written(PidMode, pid) }),
      ...(!['', 'private'].includes(IpcMode) && { ipc: written(IpcMode, ipc) }),
      ...(UTSMode !== '' && { uts: UTSMode }),
      ...(CgroupnsMode === 'host' && { cgroupns: CgroupnsMode }),
    },
    namespaceContainers: [pid, ipc].flatMap((other) => (other === null ? [] : [other.key])),
  };
}

/** Settings of a namespace that is shared are those of others, the host above all. */
export function checkSysctls({ sysctls, ipc, network }: ContainerSpec): void {
  const names = Object.keys(sysctls);
  const ofIpc = namespaceMode(ipc).type === 'own' ? undefined : names.find(isOfIpc);
  if (ofIpc !== undefined) refuse(`sysctl "${ofIpc}" is not allowed in the hosts ipc namespace`);
  const ofNetwork = ownsNamespace(networkMode(network)) ? undefined : names.find(isOfNetwork);
  if (ofNetwork !== undefined) refuse(`sysctl "${ofNetwork}" not allowed in host network namespace`);
}
