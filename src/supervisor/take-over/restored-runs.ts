/** Restores the runs of an earlier supervisor: those that still run, and those that ended meanwhile. */
import { isDeepStrictEqual } from 'node:util';
import type { AdoptResult, ExecDriver } from '../../drivers/contract/exec.ts';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import type { Networks } from '../../drivers/contract/network.ts';
import { type Clock, formatTime } from '../../model/clock.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import { networkMode, ownsNamespace } from '../../model/network-mode.ts';
import { bootTimeOfEnd, bootTimeOfStart, type ExitRecorder, stateOfUnseenStart } from '../../reconcile/exits.ts';
import { adoptSandbox } from '../../reconcile/ops/containers/container-connect.ts';
import type { FileReaders } from '../../reconcile/ops/file-readers.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { DISCONNECTED } from '../../state/containers/endpoints.ts';
import { decideRestore, type RestoreDecision, type RestoreInput } from '../../state/restore.ts';
import { resumeFound } from '../requests/pauses.ts';
import type { FoundRun } from '../timeline.ts';
import { type Attempt, attempting } from './attempt.ts';

export interface RestoreInputPorts {
  readonly graph: Pick<GraphDriver, 'name'>;
  readonly exec: Pick<ExecDriver, 'name' | 'list'>;
  readonly bootId: string;
}

/** The stores of runs, and the parts that hold them. */
export interface RestoredRunPorts {
  readonly clock: Clock;
  readonly bootId: string;
  readonly containers: Pick<ContainerStore, 'get' | 'update' | 'updateSoon'>;
  readonly exec: Pick<ExecDriver, 'unpause' | 'openNetns'>;
  readonly network: Pick<Networks, 'sandbox' | 'adoptSandbox'>;
  readonly exits: Pick<ExitRecorder, 'started'>;
  readonly fileReaders: Pick<FileReaders, 'changing'>;
}

export interface AdoptionReport {
  readonly running: number;
  readonly exited: number;
  /** Containers that are shown and not touched, with the reason. */
  readonly unavailable: ReadonlyMap<string, string>;
}

/** Receives the results. */
export interface AdoptionListeners {
  /** What became of a run that an earlier supervisor began. */
  readonly onFound: (run: FoundRun) => void;
  readonly onProblem: (text: string) => void;
}

// What is written here can be determined again, so a full disk does not prevent the start of the supervisor.

function recordExit(
  ports: RestoredRunPorts,
  record: ContainerRecord,
  exit: Extract<RestoreDecision, { decision: 'exited' }>,
): void {
  const now = ports.clock.now();
  const finishedAtMs = exit.finishedAtMs ?? now.wallMs;
  const seenToStart = record.handle?.run === record.run;
  const state = seenToStart ? record.state : stateOfUnseenStart(record);
  const finishedAtBootMs = bootTimeOfEnd(state, finishedAtMs, now, ports.bootId);
  ports.containers.updateSoon({
    ...record,
    handle: seenToStart ? record.handle : null,
    ...(finishedAtBootMs === null && DISCONNECTED),
    state: {
      ...state,
      status: 'exited',
      pid: 0,
      exitCode: exit.exitCode,
      oomKilled: exit.oomKilled,
      startError: null,
      finishedAt: formatTime(finishedAtMs),
      finishedAtBootMs,
    },
  });
}

/** Returns the recorded state of a live run; a paused one has still to be resumed. */
const liveStatus = ({ state }: ContainerRecord) => (state.status === 'paused' ? 'paused' : 'running');

/** Records a live run without a handle; its state is then unknown ({@link isUnknown}). */
function recordUnknown({ containers }: Pick<RestoredRunPorts, 'containers'>, record: ContainerRecord): void {
  containers.updateSoon({ ...record, handle: null, state: { ...record.state, status: liveStatus(record) } });
}

/** The start that was interrupted is still due; a start that failed keeps its own reason. */
function recordUnstarted({ containers }: Pick<RestoredRunPorts, 'containers'>, record: ContainerRecord): void {
  const { state } = record;
  const interrupted = { class: 'unavailable', message: 'the supervisor ended meanwhile' } as const;
  containers.updateSoon({
    ...record,
    handle: null,
    state: {
      ...state,
      status: state.finishedAt === null ? 'created' : 'exited',
      pid: 0,
      startError: state.startError ?? interrupted,
    },
  });
}

function takeOver(
  ports: RestoredRunPorts,
  record: ContainerRecord,
  decision: Extract<RestoreDecision, { decision: 'adopt' }>,
  attempt: Attempt,
): void {
  const { handle } = decision;
  const ownsNetns = ownsNamespace(networkMode(record.hostConfig.NetworkMode));
  // The run may end at any moment; its exit is reported like any other.
  if (ownsNetns) attempt(record.engineName, () => adoptSandbox(ports, record.id));
  const state: ContainerRecord['state'] = {
    ...record.state,
    status: liveStatus(record),
    pid: handle.pid,
    exitCode: null,
    startError: null,
    startedAt: formatTime(handle.startedAtMs),
    bootId: handle.bootId,
    startedAtBootMs: bootTimeOfStart(record, handle, ports.clock.now()),
  };
  // Usually all of it was recorded when the run began.
  const written = isDeepStrictEqual({ handle, state }, { handle: record.handle, state: record.state });
  if (!written) ports.containers.updateSoon({ ...record, handle, state });
  ports.exits.started(record.id, handle.run);
}

/** Returns the inputs of the decisions, in addition to the answers. */
export function restoreInput(
  { graph, exec, bootId }: RestoreInputPorts,
  containers: readonly ContainerRecord[],
): RestoreInput {
  return {
    containers,
    graphDriver: graph.name,
    execDriver: exec.name,
    bootId,
    execIds: new Set(exec.list()),
  };
}

/** Records what became of runs that the exec driver was asked about. */
export async function takeOverRuns(
  ports: RestoredRunPorts,
  input: RestoreInput,
  answers: ReadonlyMap<string, AdoptResult>,
  listeners: AdoptionListeners,
): Promise<AdoptionReport> {
  const asked = new Map(input.containers.map((record) => [record.id, record]));
  const unavailable = new Map<string, string>();
  const counts = { running: 0, exited: 0 };
  const { onFound, onProblem } = listeners;
  for (const decision of decideRestore(input, answers)) {
    const record = ports.containers.get(decision.id);
    if (!record) continue;
    if (decision.decision === 'unavailable') unavailable.set(decision.id, decision.reason);
    if (decision.decision === 'unknown') recordUnknown(ports, record);
    if (decision.decision === 'unstarted') recordUnstarted(ports, record);
    if (decision.decision === 'exited') {
      recordExit(ports, record, decision);
      counts.exited += 1;
      const finishedAtMs = decision.finishedAtMs ?? ports.clock.now().wallMs;
      onFound({ record, run: record.run, exit: { ...decision, finishedAtMs }, reason: decision.reason });
    }
    if (decision.decision === 'adopt') {
      // While others were asked about, its exit may have been reported and recorded already.
      if (record.state.status === 'exited' && asked.get(record.id)?.state.status !== 'exited') continue;
      await ports.fileReaders.changing(record, 'taken over', async () => {
        takeOver(ports, record, decision, attempting(listeners));
        await resumeFound(ports, record.id).catch((error) => {
          onProblem(`${record.engineName}: ${describeError(toTsdError(error))}`);
        });
      });
      counts.running += 1;
      const adopted = ports.containers.get(record.id) ?? record;
      onFound({ record: adopted, run: record.run, exit: null, reason: 'found running' });
    }
  }
  return { ...counts, unavailable };
}
