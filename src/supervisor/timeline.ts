/** Writes what happens onto the timeline, one plain statement an entry: no fsync, and nothing is lost with the supervisor. */
import type { TaskExit } from '../drivers/contract/exec.ts';
import type { Job } from '../engine/job.ts';
import type { Clock } from '../model/clock.ts';
import type { Desired } from '../model/desired.ts';
import { describeError, type TsdError } from '../model/errors/errors.ts';
import { describeEnd } from '../model/errors/exit-words.ts';
import { formatPosition, parseKey, type ResourceKey, type SourcePosition } from '../model/resource.ts';
import { HOLD_TRAITS } from '../model/status/holds.ts';
import type { ContainerNote, TimelineDraft, TimelineKind } from '../model/status/timeline.ts';
import type { OpResult } from '../reconcile/executor.ts';
import type { HealthChange } from '../reconcile/health/prober.ts';
import type { PassReport } from '../reconcile/loop/controller.ts';
import type { Op } from '../reconcile/op.ts';
import { OP_TRAITS } from '../reconcile/op-traits.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { History } from '../state/history/history.ts';
import type { JournalEntry } from '../state/history/journal.ts';
import { lastWords, readOr } from './logs/last-words.ts';
import type { Pruning } from './pruning.ts';
import { asker } from './requests/actors.ts';
import { containerCalled } from './requests/container-called.ts';
import type { ResolverEvent } from './resolver/resolver-event.ts';

export interface TimelineOptions {
  readonly history: History;
  readonly containers: ContainerStore;
  readonly clock: Clock;
  /** The present one. */
  readonly generation: () => number;
  readonly pruning: Pruning;
  /** Called for every entry. */
  readonly onEntry?: (entry: TimelineDraft) => void;
}

/** A run that an earlier supervisor began, as it was found. */
export interface FoundRun {
  readonly record: ContainerRecord;
  readonly run: number;
  /** Null when it still runs. */
  readonly exit: Pick<TaskExit, 'exitCode' | 'oomKilled' | 'finishedAtMs'> | null;
  readonly reason: string;
}

/** What failed, and what to do about it. The place is not said where the entry has it as that of the op. */
function failureText(error: TsdError, source: SourcePosition | null): string {
  const isSame =
    source !== null && error.source !== undefined && formatPosition(source) === formatPosition(error.source);
  const text = describeError(error, isSame ? null : undefined);
  return error.hint === '' ? text : `${text} — ${error.hint}`;
}

function kindOf(op: Op): TimelineKind {
  const { timelineKind } = OP_TRAITS[op.op];
  return timelineKind === 'op' && op.cause.reason === 'drift' ? 'drift' : timelineKind;
}

const noteOf = ({ id, config }: ContainerRecord): ContainerNote => ({ id, image: config.Image ?? '' });

export class Timeline {
  readonly #options: TimelineOptions;
  /** What was last said of a resource that waits. */
  readonly #holds = new Map<ResourceKey, string>();

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /** Records the end of an op. A skipped op is not recorded: the failure that caused it is. */
  op({ op, status, ms, error, skipped }: OpResult, generation: number): void {
    if (skipped !== null) return;
    // It brings about edits and ends, which are not to look as if they came before.
    const begins = op.op === 'container.fail-update' ? { atMs: this.#options.clock.now().wallMs - ms } : {};
    const failed = status === 'failed' && parseKey(op.key).kind === 'container' && 'containerId' in op;
    this.#append({
      ...begins,
      kind: kindOf(op),
      key: op.key,
      generation,
      what: op.op,
      ok: status === 'done' && op.op !== 'container.fail-update',
      cause: op.cause.message,
      message: error === null ? '' : failureText(error, op.cause.source ?? null),
      source: op.cause.source ?? error?.source ?? null,
      run: op.op === 'container.start' ? op.run : null,
      ...('containerId' in op && this.#containerNote(op.key, op.containerId)),
      log: this.#excerpt(
        failed
          ? this.#options.containers.get(op.containerId)
          : op.op === 'container.fail-update'
            ? this.#options.containers.get(op.candidateId ?? '')
            : undefined,
      ),
    });
  }

  /** An op that an earlier supervisor began, and whose end it did not see. */
  interrupted({ op, key, cause, startedAtMs }: JournalEntry): void {
    const message = 'begun; the supervisor ended meanwhile';
    this.#append({ atMs: startedAtMs, kind: 'op', key, what: op, cause, message });
  }

  /** A run has ended. */
  exit(exit: TaskExit, key: ResourceKey | null): void {
    const record = this.#options.containers.get(exit.containerId);
    if (key && record) this.#ended(key, record, exit, '');
  }

  /** What was found of an earlier supervisor's runs when this one started. */
  found({ record, run, exit, reason }: FoundRun): void {
    const key = record.owner?.key;
    if (key === undefined) return;
    if (exit) {
      // The earlier supervisor may have reported it and died before the record was written.
      if (this.#options.history.timeline.hasExit(key, run, Date.parse(record.created))) return;
      this.#ended(key, record, { ...exit, run }, reason);
      return;
    }
    this.#append({
      kind: 'adopt',
      key,
      what: 'adopted',
      cause: reason,
      message: `pid ${record.state.pid} still runs`,
      run,
    });
  }

  /** A pass has ended: what newly waits, and for what. */
  pass({ scope, plan }: PassReport): void {
    const held = new Map(plan.holds.map((hold) => [hold.key, hold]));
    for (const key of scope ?? [...this.#holds.keys()]) if (!held.has(key)) this.#holds.delete(key);
    for (const { key, reason, message } of held.values()) {
      const text = `${reason} ${message}`;
      const { condition, failure, waitsFor } = HOLD_TRAITS[reason];
      // It ends with the next op.
      if (waitsFor === 'ops' || this.#holds.get(key) === text) continue;
      this.#holds.set(key, text);
      // Said before this supervisor started, and nothing happened since.
      const [latest] = readOr([], () => this.#options.history.timeline.ofKey(key, 1));
      const kind = condition === 'Drifted' ? 'drift' : 'hold';
      if (latest?.kind === kind && latest.what === reason && latest.message === message) continue;
      this.#append({ kind, key, generation: plan.generation, what: reason, ok: failure !== 'final', message });
    }
  }

  /** Probes came to another result about a run. */
  health({ key, containerId, run, before, after }: HealthChange, declared: Desired | undefined): void {
    const { ready, state, message } = after;
    const again = before.firstReadyAtBootMs === null ? '' : ' again';
    this.#append({
      kind: 'probe',
      key,
      what: state,
      ok: ready,
      message: ready ? `ready${again}` : `${state}: ${message}`,
      source: declared ? (declared.positions.health ?? declared.source) : null,
      run,
      log: ready ? [] : this.#excerpt(this.#options.containers.get(containerId)),
    });
  }

  /** A job that a person asked for has ended. */
  job(job: Job): void {
    const { user, uid } = asker(job.by?.uid) ?? { user: null, uid: null };
    const who = user ?? (uid === null ? 'somebody' : `uid ${uid}`);
    const said = [...job.shownArgs, ...job.shownEnv].join(' ');
    const failure = job.failure === null ? '' : failureText(job.failure, null);
    const subject = job.spec.args?.startsWith('CONTAINER')
      ? containerCalled(this.#options.containers, job.args[0] ?? '')
      : undefined;
    this.#append({
      kind: 'override',
      key: null,
      what: job.name,
      ok: job.status === 0,
      cause: `asked for by ${who}`,
      message: [said, failure].filter((text) => text !== '').join(': '),
      ...(subject && { container: noteOf(subject) }),
    });
  }

  /** The job `log` received an event. */
  logged(what: string, cause: string, message: string): void {
    this.#append({ kind: 'override', key: null, what, cause, message });
  }

  /** An image lost a name, or is gone, because a person asked for that. */
  image(what: 'untag' | 'delete', id: string, name: string): void {
    this.#append({ kind: 'override', key: null, what, cause: 'requested', message: `${id} ${name}`.trim() });
  }

  /** A person asked for something. */
  override(key: ResourceKey, what: string, message: string, record?: ContainerRecord): void {
    const container = record && { container: noteOf(record) };
    this.#append({ kind: 'override', key, what, cause: 'requested', message, ...container });
  }

  /** The resolver began, ended, or was replaced. */
  resolver({ what, ok, message }: ResolverEvent): void {
    this.#append({ kind: 'resolver', key: null, what, ok, message });
  }

  /** A generation of which nothing comes until another supervisor starts. */
  postponed(generation: number, why: string): void {
    const message = `generation ${generation} is not carried out before the next start of the supervisor`;
    this.#append({ kind: 'edit', key: null, generation, what: 'postponed', ok: false, cause: why, message });
  }

  #ended(
    key: ResourceKey,
    record: ContainerRecord,
    exit: Pick<TaskExit, 'run' | 'exitCode' | 'oomKilled' | 'finishedAtMs'>,
    cause: string,
  ): void {
    this.#append({
      atMs: exit.finishedAtMs,
      kind: 'exit',
      key,
      what: exit.oomKilled ? 'oom-killed' : 'exited',
      ok: exit.exitCode === 0,
      cause,
      message: describeEnd(exit.exitCode, exit.oomKilled),
      run: exit.run,
      log: this.#excerpt(record),
      container: noteOf(record),
    });
  }

  /** A container that was removed is known from what was said of it before. */
  #containerNote(key: ResourceKey, id: string): { container: ContainerNote } | undefined {
    if (id === '') return undefined;
    const record = this.#options.containers.get(id);
    if (record !== undefined) return { container: noteOf(record) };
    return { container: { id, image: readOr('', () => this.#options.history.timeline.imageOf(key, id) ?? '') } };
  }

  #excerpt(record: ContainerRecord | undefined): readonly string[] {
    return record ? lastWords(this.#options.containers, record) : [];
  }

  #append(entry: Pick<TimelineDraft, 'kind' | 'key' | 'what'> & Partial<TimelineDraft>): void {
    const whole: TimelineDraft = {
      atMs: this.#options.clock.now().wallMs,
      generation: this.#options.generation(),
      ok: true,
      cause: '',
      message: '',
      source: null,
      run: null,
      log: [],
      ...entry,
    };
    this.#options.history.timeline.note(whole);
    this.#options.pruning.wrote();
    this.#options.onEntry?.(whole);
  }
}
