/** Combinations of a container's namespaces with its other fields that contradict each other. */

import { joinedContainers, namespaceMode } from '../../model/kinds/namespace-forms.ts';
import { isOfIpc } from '../../model/kinds/sysctl-forms.ts';
import { type Rule, refuse, refuseWith } from './rule.ts';

/** Settings and sizes of what it shares are those of the host, or of the container whose it is. */
const ipcSettings: Rule = (subject) => {
  const { spec } = subject;
  const sized = spec.shmSize !== null && spec.ipc !== null && spec.ipc !== 'shareable';
  const size = sized ? [refuse(subject, 'shmSize', `shmSize cannot be combined with ipc: ${spec.ipc}`)] : [];
  if (namespaceMode(spec.ipc).type === 'own') return size;
  const names = Object.keys(spec.sysctls).filter(isOfIpc);
  const message = (name: string): string => `${name} cannot be combined with ipc: ${spec.ipc}`;
  return [...size, ...names.map((name) => refuse(subject, `sysctls.${name}`, message(name)))];
};

const hostNames: Rule = (subject) => {
  const { spec } = subject;
  if (spec.uts !== 'host') return [];
  return (['hostname', 'domainname'] as const)
    .filter((field) => (spec[field] ?? '') !== '')
    .map((field) => refuse(subject, field, `${field} cannot be combined with uts: host`));
};

/** It would not be the first process, to which the kernel gives the orphans. */
const init: Rule = (subject) =>
  subject.spec.init && namespaceMode(subject.spec.pid).type !== 'own'
    ? [refuse(subject, 'init', `init cannot be combined with pid: ${subject.spec.pid}`)]
    : [];

const joined: Rule = (subject) => {
  const { at, spec, universe } = subject;
  return joinedContainers(spec).flatMap(({ field, name }) => {
    const target = universe.lookup('container', name, at.candidate.app.app);
    if (target === at.key) return [refuse(subject, field, 'a container cannot share its own namespace')];
    const other = target && universe.get<'container'>(target);
    if (!other || field !== 'ipc' || other.resource.spec?.ipc === 'shareable') return [];
    const message = `${name} does not share its IPC; set ipc: shareable there`;
    return [refuseWith(subject, other, field, message)];
  });
};

/** Its successor has other namespaces, and those who share them would stay with the old ones. */
const startFirst: Rule = (subject) => {
  const { at, spec, universe } = subject;
  if (spec.update.order === 'stop-first') return [];
  return [...universe.ofKind('container')].flatMap((other) => {
    const app = other.candidate.app.app;
    const fields = joinedContainers(other.resource.spec ?? {})
      .filter(({ name }) => universe.lookup('container', name, app) === at.key)
      .map(({ field }) => field);
    const message = `${other.resource.name} shares its ${fields[0]} namespace, which order: start-first would replace`;
    return fields.length === 0 ? [] : [refuseWith(subject, other, 'update', message)];
  });
};

export const NAMESPACE_RULES: readonly Rule[] = [ipcSettings, hostNames, init, joined, startFirst];
