/**
 * Why a resource stays as it is, and what follows from each reason: for its phase, its conditions, commands that wait, the
 * exit code of a plan. A new reason gets its row here; tsc names the row where it is missing. Pure.
 */
export type HoldReason =
  | 'dependency-not-ready'
  | 'backing-off'
  | 'stopped-by-user'
  | 'shut-down'
  | 'failed'
  | 'needs-approval'
  | 'unavailable'
  | 'finished'
  | 'drifted'
  | 'updating'
  | 'busy';

export interface HoldTraits {
  /** Phase of a container that does not run. `Exited` is `Pending` where it never ran. */
  readonly phase: 'Pending' | 'BackingOff' | 'Failed' | 'Exited';
  /** Condition that shows it while the container runs; the condition `Parked` shows it while nothing is there to use. */
  readonly condition: 'Held' | 'Drifted' | 'Updating';
  /** Precedes the message while the container runs. */
  readonly prefix: string;
  /** Reports whether what is not there is waited for, which the condition `Parked` shows. */
  readonly parked: boolean;
  /** Reports whether no op of the change was tried yet, so that a container may be kept running as it was made. */
  readonly untried: boolean;
  /** Ops that may end it: those of what the resource needs, or the ops in flight. */
  readonly waitsFor: 'needs' | 'ops' | null;
  /** An op or a run failed: it is retried after a pause, or not before a person changes something. */
  readonly failure: 'retried' | 'final' | null;
  /** Nothing waits, because the work is done or a person stopped it: a plan is settled with it. */
  readonly rest: 'done' | 'stopped' | null;
  /** How the line that `systemctl status` shows counts it. */
  readonly statusLine: 'failing' | 'waiting' | null;
}

const WAITING = {
  phase: 'Pending',
  condition: 'Held',
  prefix: 'a change waits: ',
  parked: false,
  untried: false,
  waitsFor: null,
  failure: null,
  rest: null,
  statusLine: 'waiting',
} as const;

const UNTRIED = { ...WAITING, parked: true, untried: true } as const;

const FAILING = { ...WAITING, statusLine: 'failing' } as const;

const RESTING = { ...WAITING, phase: 'Exited', statusLine: null } as const;

export const HOLD_TRAITS: Readonly<Record<HoldReason, HoldTraits>> = {
  'dependency-not-ready': { ...UNTRIED, waitsFor: 'needs' },
  busy: { ...UNTRIED, waitsFor: 'ops', statusLine: null },
  unavailable: { ...UNTRIED, statusLine: 'failing' },
  'needs-approval': { ...WAITING, phase: 'Failed', parked: true },
  'backing-off': { ...FAILING, phase: 'BackingOff', parked: true, failure: 'retried' },
  failed: { ...FAILING, phase: 'Failed', failure: 'final' },
  finished: { ...RESTING, rest: 'done' },
  'stopped-by-user': { ...RESTING, rest: 'stopped' },
  'shut-down': { ...WAITING, phase: 'Exited' },
  drifted: { ...WAITING, condition: 'Drifted', prefix: 'drifted: ' },
  updating: { ...WAITING, condition: 'Updating', prefix: 'update: ' },
};

/** Returns how a reason rests; null for a reason that waits, and for one of another version. */
export function restOf(reason: string): HoldTraits['rest'] {
  return Object.hasOwn(HOLD_TRAITS, reason) ? HOLD_TRAITS[reason as HoldReason].rest : null;
}
