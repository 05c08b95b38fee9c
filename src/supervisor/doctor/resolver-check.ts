import type { DoctorCheck } from '../../api/views/host-views.ts';
import type { ResolverView } from '../resolver/resolver-service.ts';

const MIB = 1024 * 1024;

/** What answers the names of containers, for who looks at it at night. @param shortcoming why payloads cannot listen on port 53 */
export function resolverCheck(view: ResolverView, shortcoming: string | null): DoctorCheck {
  const name = 'names';
  const { state, pid, sandboxes, relays, problem, restarts, stats } = view;
  const work = `answers ${sandboxes} containers and relays ${relays} ports`;
  if (problem !== null) {
    return {
      name,
      status: 'failed',
      message: `the resolver does not run, and ${sandboxes} containers ask it, ${relays} ports on IPv6 need it: ${problem}`,
      fix: 'It is started again by itself; what it said last is in names/ of the run directory. New runs find names in /etc/hosts meanwhile.',
    };
  }
  if (state === 'off') return { name, status: 'ok', message: 'no container needs the resolver', fix: null };
  if (state === 'starting') {
    return { name, status: 'warning', message: `the resolver starts, which ${work}`, fix: 'Ask again in a moment.' };
  }
  const memory =
    stats === null
      ? ''
      : `, ${(stats.residentBytes / MIB).toFixed(0)} MiB, ${stats.failed} of ${stats.questions} questions failed, ${stats.relaysFailed} of ${stats.relayed} connections not taken`;
  const message = `the resolver (pid ${pid}) ${work}${memory}; started again ${restarts} times`;
  if (shortcoming === null) return { name, status: 'ok', message, fix: null };
  return {
    name,
    status: 'warning',
    message: `${message}; a container cannot listen on port 53 of all addresses: ${shortcoming}`,
    fix: 'Load the kernel modules sch_ingress and cls_bpf; containers that start afterwards can.',
  };
}
