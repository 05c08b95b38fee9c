/**
 * What a start makes of what it finds on disk. Pure: the questions for the exec driver come out as data, its answers go
 * in as data, and the decisions come out for others to carry out. Restart policies are not its business.
 */
import type { ContainerRecord, RunHandle, RunState } from './containers/container-record.ts';

/** A run that the exec driver is asked to find again. */
export type AdoptionQuestion = Pick<RunHandle, 'containerId' | 'run'> & Partial<RunHandle>;

/** The exec driver's answer. */
export type AdoptionAnswer =
  | { readonly state: 'running'; readonly handle: RunHandle }
  | {
      readonly state: 'exited';
      readonly exit: {
        readonly exitCode: number | null;
        readonly oomKilled: boolean;
        readonly finishedAtMs: number;
      };
    }
  | { readonly state: 'unstarted' };

export interface RestoreInput {
  readonly containers: readonly ContainerRecord[];
  readonly graphDriver: string;
  /** Name of the exec driver in use. */
  readonly execDriver: string;
  /** Of the running kernel: /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  /** Ids that have a process, cgroup or run record, as the exec driver lists them. */
  readonly execIds: ReadonlySet<string>;
}

export type RestoreDecision = { readonly id: string } & (
  | { readonly decision: 'keep' }
  /** Made by a driver that is not in use: shown, never touched. */
  | { readonly decision: 'unavailable'; readonly reason: string }
  | { readonly decision: 'adopt'; readonly handle: RunHandle }
  /** It is unknown whether it still runs. A second run would be worse than none, so it is left alone until that is known. */
  | { readonly decision: 'unknown' }
  /** Its start was begun and had no effect: it is still due. */
  | { readonly decision: 'unstarted' }
  /** It ran when the last supervisor wrote and does not run now. Nothing is signalled. */
  | {
      readonly decision: 'exited';
      readonly exitCode: number | null;
      readonly oomKilled: boolean;
      readonly finishedAtMs: number | null;
      readonly reason: string;
    }
);

const LIVE: readonly RunState['status'][] = ['running', 'paused', 'restarting'];

/** True for a run of ours whose fate is not known; a run that is followed has a handle. */
export function isUnknown({ owner, state, handle }: ContainerRecord): boolean {
  return owner !== null && LIVE.includes(state.status) && handle === null;
}

function unavailableReason(container: ContainerRecord, input: RestoreInput): string | null {
  // Docker wrote no driver before there was a choice, and aufs was the only one.
  const graphDriver = container.graphDriver || 'aufs';
  if (graphDriver !== input.graphDriver) {
    return `made with graph driver ${graphDriver}; ${input.graphDriver} is in use`;
  }
  if (container.owner !== null && container.execDriver !== input.execDriver) {
    return `made with exec driver ${container.execDriver}; ${input.execDriver} is in use`;
  }
  return null;
}

/** A run of ours, as opposed to one that Docker 1.4 started: those have no shim, and their pid may be anyone's. */
const hasOwnRun = (container: ContainerRecord, input: RestoreInput): boolean =>
  container.run > 0 && (LIVE.includes(container.state.status) || input.execIds.has(container.id));

/** The runs to ask the exec driver about: all that were recorded as live, or that it has something of. */
export function adoptionQuestions(input: RestoreInput): readonly AdoptionQuestion[] {
  return input.containers
    .filter((container) => unavailableReason(container, input) === null && hasOwnRun(container, input))
    .map(({ id, run, handle }) => (handle?.run === run ? handle : { containerId: id, run }));
}

function decideOwnRun(container: ContainerRecord, answer: AdoptionAnswer | undefined, bootId: string): RestoreDecision {
  const { id } = container;
  const lost = (reason: string): RestoreDecision => ({
    id,
    decision: 'exited',
    exitCode: null,
    oomKilled: false,
    finishedAtMs: null,
    reason,
  });
  // What is written of its end counts, whatever has become since of what its shim wrote.
  const recorded = container.state.status === 'exited' && container.handle?.run === container.run;
  if (recorded && answer?.state !== 'running') return { id, decision: 'keep' };
  if (answer === undefined) return { id, decision: 'unknown' };
  if (answer.state === 'running') {
    if (answer.handle.bootId !== bootId) return lost('its processes belong to an earlier boot');
    return { id, decision: 'adopt', handle: answer.handle };
  }
  if (answer.state === 'unstarted') return { id, decision: 'unstarted' };
  const { exitCode, oomKilled, finishedAtMs } = answer.exit;
  const reason = exitCode === null ? 'its end was not observed' : 'ended while no supervisor ran';
  return { id, decision: 'exited', exitCode, oomKilled, finishedAtMs, reason };
}

function decide(
  container: ContainerRecord,
  answers: ReadonlyMap<string, AdoptionAnswer>,
  input: RestoreInput,
): RestoreDecision {
  const { id } = container;
  const reason = unavailableReason(container, input);
  if (reason !== null) return { id, decision: 'unavailable', reason };
  if (hasOwnRun(container, input)) return decideOwnRun(container, answers.get(id), input.bootId);
  if (!LIVE.includes(container.state.status)) return { id, decision: 'keep' };
  return {
    id,
    decision: 'exited',
    exitCode: null,
    oomKilled: false,
    finishedAtMs: null,
    reason: 'it was running under another supervisor and has no shim of ours',
  };
}

/** One decision a container, in the order given. @param answers by container id. */
export function decideRestore(
  input: RestoreInput,
  answers: ReadonlyMap<string, AdoptionAnswer>,
): readonly RestoreDecision[] {
  return input.containers.map((container) => decide(container, answers, input));
}

/** Names the link graph lacks, and entities in it that no container has. */
export interface NameRepairs {
  readonly missing: readonly { readonly path: string; readonly id: string }[];
  readonly stale: readonly string[];
}

/**
 * Compares the link graph with the containers. A container whose name another one holds keeps none: it is shown by id.
 * @param nameOf id at a path, or null. @param ids every container with a directory, readable or not.
 */
export function decideNames(
  containers: readonly ContainerRecord[],
  ids: ReadonlySet<string>,
  entities: readonly string[],
  nameOf: (path: string) => string | null,
): NameRepairs {
  const stale = new Set(entities.filter((id) => !ids.has(id)));
  const given = new Set<string>();
  const missing = containers.flatMap(({ id, engineName }) => {
    const path = `/${engineName}`;
    const holder = nameOf(path);
    if (engineName === '' || given.has(path) || (holder !== null && !stale.has(holder))) return [];
    given.add(path);
    return [{ path, id }];
  });
  return { missing, stale: [...stale] };
}
