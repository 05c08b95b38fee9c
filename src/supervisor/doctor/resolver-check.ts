import type { DoctorCheck } from '../../api/views/host-views.ts';
import type { ResolverView } from '../resolver/resolver-service.ts';

const MIB = 1024 * 1024;

/** What answers the names of containers, for who looks at it at night. @param shortcoming why payloads cannot listen on port 53 */
export function resolverCheck(view: ResolverView, shortcoming: string | null): DoctorCheck {
  const name = 'names';
  const { state, pid, sandboxes, problem, restarts, stats } = view;
  if (problem !== null) {
    return {
      name,
      status: 'failed',
      message: `the resolver does not run, and ${sandboxes} containers ask it: ${problem}`,
      fix: 'It is started again by itself; what it said last is in names/ of the run directory. New runs find names in /etc/hosts meanwhile.',
    };
  }
  if (state !== 'running') return { name, status: 'ok', message: 'no container asks the resolver', fix: null };
  const memory =
    stats === null
      ? ''
      : `, ${(stats.residentBytes / MIB).toFixed(0)} MiB, ${stats.failed} of ${stats.questions} questions failed`;
  const message = `the resolver (pid ${pid}) answers ${sandboxes} containers${memory}; started again ${restarts} times`;
  if (shortcoming === null) return { name, status: 'ok', message, fix: null };
  return {
    name,
    status: 'warning',
    message: `${message}; a container cannot listen on port 53 of all addresses: ${shortcoming}`,
    fix: 'Load the kernel modules sch_ingress and cls_bpf; containers that start afterwards can.',
  };
}
