/** Settings of the kernel that each container has for itself: those of its namespaces (sysctl(8), namespaces(7)). */
import { z } from 'zod';
import { scalarText } from './schema-parts.ts';

/** Stands for the name of the interface. */
export const INTERFACE_PLACEHOLDER = 'IFNAME';

/** Parts of a name: a dot between them, and in them what interfaces may have, with `/` for a dot of theirs. */
const NAME = /^[a-z0-9_]+(\.[A-Za-z0-9_\-/@]+)+$/;

/** Of the IPC namespace: ipc/ipc_sysctl.c. */
const OF_IPC: ReadonlySet<string> = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shm_rmid_forced',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
]);

export const isOfNetwork = (name: string): boolean => name.startsWith('net.');

/** Of the IPC namespace, or of its message queues. */
export const isOfIpc = (name: string): boolean => OF_IPC.has(name) || name.startsWith('fs.mqueue.');

/** Directories that have one for each interface. */
const OF_INTERFACE = /^net\.(?:ipv[46]\.(?:conf|neigh)|mpls\.conf)\.IFNAME\.[A-Za-z0-9_]+$/;

/** Why a container cannot have a setting; null where it can. */
export function sysctlProblem(name: string): string | null {
  if (!NAME.test(name) || name.split('.').some((part) => part.split('/').includes('')))
    return `"${name}" is not the name of a setting; write for example net.core.somaxconn`;
  if (isOfNetwork(name) || isOfIpc(name)) return null;
  return `${name} is a setting of the whole host; a container has its own of net.*, fs.mqueue.* and ${[...OF_IPC].join(', ')}`;
}

const value = scalarText().refine(
  (text) => /^[\x20-\x7e\t]{1,1024}$/.test(text),
  'expected a value of one line, at most 1024 characters',
);

const judged = (judge: (name: string) => string | null) =>
  z.record(z.string(), value).superRefine((settings, context) => {
    for (const name of Object.keys(settings)) {
      const message = judge(name);
      if (message !== null) context.addIssue({ code: 'custom', message, path: [name] });
    }
  });

/** Of the namespaces of a container. */
export const sysctls = judged(sysctlProblem).prefault({});

/** Of one interface. Absent where there are none: specs that were stored before have none. */
export const interfaceSysctls = z.optional(
  judged((name) =>
    OF_INTERFACE.test(name)
      ? null
      : `"${name}" is no setting of an interface; write for example net.ipv4.conf.${INTERFACE_PLACEHOLDER}.rp_filter`,
  ),
);

/** The place of a setting below /proc/sys. A dot of an interface's name stands as `/` in the name of the setting. */
export function sysctlPath(name: string): string {
  return name.replace(/[./]/g, (mark) => (mark === '.' ? '/' : '.'));
}
