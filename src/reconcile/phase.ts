import type { Desired } from '../model/desired.ts';
import { describeOverride } from '../model/imperative/override.ts';
import type { ObservedContainer } from '../model/observed.ts';
import { own } from '../model/own.ts';
import { HOLD_TRAITS, type HoldTraits } from '../model/status/holds.ts';
import type { Condition, Phase } from '../model/status/phases.ts';
import type { ObservedUpdate } from '../model/update.ts';
import type { Hold, Op } from './op.ts';
import { OP_TRAITS, type OpTraits } from './op-traits.ts';
import { isReady } from './plan/readiness.ts';
import { ownsSandbox, specOf } from './plan/references.ts';
import { describeExit, describeStop } from './plan/restart.ts';

export interface StatusInput {
  readonly desired: Desired<'container'> | undefined;
  readonly observed: ObservedContainer | undefined;
  /** Its successor, while an update makes that ready. */
  readonly next?: ObservedContainer | undefined;
  readonly hold: Hold | undefined;
  /** The op on it that is being carried out. */
  readonly op: Op | undefined;
  readonly update?: ObservedUpdate | undefined;
  /** Why its app is held back at an earlier generation. */
  readonly heldBack?: string | undefined;
}

export interface ContainerStatus {
  readonly phase: Phase;
  readonly ready: boolean;
  /** Why it is in this phase, for people. */
  readonly message: string;
  readonly conditions: readonly Condition[];
}

interface Row {
  readonly when: (input: StatusInput) => boolean;
  readonly phase: Phase;
  readonly message: (input: StatusInput) => string;
}

const goes = ({ op }: StatusInput, direction: OpTraits['direction']): boolean =>
  op !== undefined && OP_TRAITS[op.op].direction === direction;

const because = ({ hold, op }: StatusInput): string => hold?.message ?? op?.cause.message ?? '';
const traitsOf = (hold: Hold | undefined): HoldTraits | null => (hold ? HOLD_TRAITS[hold.reason] : null);
const ended = ({ observed }: StatusInput): boolean =>
  observed !== undefined && observed.run > 0 && observed.exit !== null;

const isUnreachable = (observed: ObservedContainer | undefined): boolean => (observed?.unknown ?? null) !== null;

const isUnrecorded = (observed: ObservedContainer | undefined): boolean => (observed?.unrecorded ?? null) !== null;

function endMessage(input: StatusInput): string {
  const exit = input.observed?.exit;
  return input.hold?.message ?? (exit ? describeExit(exit) : 'ended');
}

/** What was taken away from a container that runs, and why it cannot be put back for now; null where that is not so. */
function unrepaired(observed: ObservedContainer | undefined, hold: Hold | undefined): string | null {
  const drift = observed?.drift ?? [];
  if (drift.length === 0 || !hold || HOLD_TRAITS[hold.reason].failure === null) return null;
  return `drifted: ${drift.join(', ')}; cannot be repaired: ${hold.message}`;
}

/** A hold's message beside a running container; of an update with what the run that has to prove itself lacks. */
function whileRunning({ observed, next }: StatusInput, { reason, message }: Hold): string {
  const tried = next?.running === true ? next.health : observed?.health;
  return HOLD_TRAITS[reason].condition === 'Updating' && tried && !tried.ready
    ? `${message}; ${tried.message}`
    : message;
}

/** The first row that applies decides. */
const ROWS: readonly Row[] = [
  // An op in flight says more than what was seen before it.
  {
    when: (input) => input.op?.op === 'container.stop' || (goes(input, 'down') && input.observed?.running === true),
    phase: 'Stopping',
    message: ({ op }) => op?.cause.message ?? '',
  },
  {
    when: (input) => goes(input, 'up') && !input.observed?.running,
    phase: 'Creating',
    message: ({ op }) => op?.cause.message ?? '',
  },
  // Its shim holds it and cannot be asked: no end is known, and nothing else can be.
  {
    when: ({ observed }) => isUnreachable(observed),
    phase: 'Running',
    message: ({ observed }) => observed?.unknown ?? '',
  },
  {
    when: ({ observed }) => isUnrecorded(observed),
    phase: 'Stopping',
    message: ({ observed }) => observed?.unrecorded ?? '',
  },
  {
    when: ({ observed }) => observed?.running === true && observed.paused,
    phase: 'Paused',
    message: () => 'paused while its files are read',
  },
  {
    when: ({ observed }) => observed?.running === true,
    phase: 'Running',
    message: (input) => {
      const { hold, observed } = input;
      const health = observed?.health;
      const broken = unrepaired(observed, hold);
      if (broken !== null) return broken;
      if (hold) return `${HOLD_TRAITS[hold.reason].prefix}${whileRunning(input, hold)}`;
      return health && !health.ready ? `${health.state}: ${health.message}` : '';
    },
  },
  { when: ({ hold }) => traitsOf(hold)?.phase === 'Failed', phase: 'Failed', message: because },
  { when: ({ hold }) => traitsOf(hold)?.phase === 'BackingOff', phase: 'BackingOff', message: because },
  {
    when: (input) => traitsOf(input.hold)?.phase === 'Exited' && ended(input),
    phase: 'Exited',
    message: endMessage,
  },
  { when: (input) => input.hold !== undefined, phase: 'Pending', message: because },
  { when: ended, phase: 'Exited', message: endMessage },
  { when: () => true, phase: 'Pending', message: ({ observed }) => observed?.startError?.message ?? '' },
];

/** `dependency-not-ready` as the word for programs: `DependencyNotReady`. */
export function word(reason: string): string {
  return reason.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Variables are what they were at the start of the run; the hosts file follows. */
function staleLinks({ envAddresses = {}, linkAddresses }: ObservedContainer): string | null {
  const moved = Object.entries(envAddresses).flatMap(([alias, then]) => {
    const now = own(linkAddresses, alias);
    return now === undefined || now === then ? [] : [`${then} for ${alias}, which is at ${now} now`];
  });
  if (moved.length === 0) return null;
  return `its environment names ${moved.join('; ')}; /etc/hosts is right, and a restart renews the environment`;
}

function conditionsOf(input: StatusInput, phase: Phase, ready: boolean, message: string): Condition[] {
  const { hold, observed } = input;
  const conditions: Condition[] = [{ type: 'Ready', status: ready, reason: phase, message }];
  const add = (type: Condition['type'], reason: string, text: string) => {
    conditions.push({ type, status: true, reason, message: text });
  };
  const health = observed?.running ? observed.health : null;
  const broken = unrepaired(observed, hold);
  if (health) {
    conditions.push({ type: 'Healthy', status: health.ready, reason: word(health.state), message: health.message });
  }
  if (hold && phase === 'Pending' && HOLD_TRAITS[hold.reason].parked) add('Parked', word(hold.reason), hold.message);
  if (isUnrecorded(observed)) add('ExitUnrecorded', 'RecordFailed', message);
  if (isUnreachable(observed)) add('Unreachable', 'ShimSilent', message);
  else if (
    hold &&
    broken === null &&
    traitsOf(hold)?.condition === 'Held' &&
    (phase === 'Running' || phase === 'Paused')
  )
    add('Held', word(hold.reason), hold.message);
  if (input.update?.failure != null) add('Held', 'UpdateFailed', `update failed: ${input.update.failure}`);
  else if (input.update) add('Updating', 'Updating', updateText(input, phase));
  if (input.heldBack !== undefined) add('Held', 'HeldBack', input.heldBack);
  const { desired } = input;
  if (desired?.override) add('Overridden', 'ChangedByClient', describeOverride(desired, desired.override));
  if (observed?.stopOverride) add('Stopped', 'StoppedByUser', describeStop(observed));
  if (observed?.running) {
    const lost = !observed.sandbox && ownsSandbox(specOf(observed));
    const drift = lost ? ['network sandbox missing', ...observed.drift] : observed.drift;
    if (hold && traitsOf(hold)?.condition === 'Drifted') add('Drifted', 'Reported', hold.message);
    else if (broken !== null) add('Drifted', 'CannotBeMended', broken);
    else if (drift.length > 0) add('Drifted', 'Drift', drift.join(', '));
    const stale = staleLinks(observed);
    if (stale !== null) add('StaleLinks', 'AddressChanged', stale);
  }
  return conditions;
}

function updateText(input: StatusInput, phase: Phase): string {
  const { hold, observed } = input;
  if (!hold || HOLD_TRAITS[hold.reason].condition !== 'Updating') return 'the change has to prove itself';
  return phase === 'Running' && !isUnreachable(observed) ? whileRunning(input, hold) : hold.message;
}

/** What a container is doing, from the user's side. Pure. */
export function containerStatus(input: StatusInput): ContainerStatus {
  const { observed, desired, op } = input;
  const row = ROWS.find(({ when }) => when(input));
  const phase = row?.phase ?? 'Pending';
  // A one-shot that was ended for a change did not do its work.
  const changing = phase === 'Stopping' || (op !== undefined && observed?.running === false);
  const ready = observed !== undefined && !changing && isReady(observed, desired?.spec ?? specOf(observed));
  const message = row?.message(input) ?? '';
  return { phase, ready, message, conditions: conditionsOf(input, phase, ready, message) };
}
