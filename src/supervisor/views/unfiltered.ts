/** Runs without a filter of system calls: what is said of them. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { Condition } from '../../model/status/phases.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';

type Asked = Pick<ContainerSpec, 'seccomp' | 'privileged'>;

export interface UnfilteredRun {
  readonly name: string;
  /** It was begun before there were filters: its manifest does not ask for it. */
  readonly old: boolean;
  readonly why: string;
}

function reasonOf({ owner }: Pick<ContainerRecord, 'owner'>): Pick<UnfilteredRun, 'old' | 'why'> {
  const spec: Asked | undefined = owner ? containerSpecOf(owner) : undefined;
  if (spec?.seccomp === 'unconfined') return { old: false, why: 'seccomp: unconfined' };
  if (spec?.privileged && (spec.seccomp ?? null) === null) return { old: false, why: 'privileged' };
  return { old: true, why: 'an earlier version started it' };
}

export function unfiltered(exec: Pick<ExecDriver, 'unfiltered'>, record: ContainerRecord): Condition[] {
  if (exec.unfiltered(record.id) !== true) return [];
  const { old, why } = reasonOf(record);
  const reason = old ? 'EarlierVersion' : 'AsDeclared';
  const message = `it runs without a filter of system calls (${why})${old ? ': its next run has one' : ''}`;
  return [{ type: 'Unfiltered', status: true, reason, message }];
}

/** All that run, for `tsdocker doctor`. */
export function unfilteredRuns({
  containers,
  exec,
}: {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly exec: Pick<ExecDriver, 'unfiltered'>;
}): readonly UnfilteredRun[] {
  return containers
    .all()
    .filter(({ id }) => exec.unfiltered(id) === true)
    .map((record) => ({ name: record.engineName, ...reasonOf(record) }));
}
