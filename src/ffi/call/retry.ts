/** The one place where a system call is tried again because of its answer: as often as races.ts allows. */
import { constants } from 'node:os';
import { systemCall } from './foreign.ts';
import { type Bound, RACES, type RacingAnswer, type RetriedCall } from './races.ts';
import { SYSCALL_NUMBERS } from './syscall-numbers.ts';

/** include/uapi/linux/time.h */
const CLOCK_THREAD_CPUTIME_ID = 3;

const timespec = Buffer.alloc(64);

/** Time that this thread has been on a processor. */
function cpuMs(): number {
  systemCall(SYSCALL_NUMBERS.clock_gettime, [CLOCK_THREAD_CPUTIME_ID, timespec]);
  return Number(timespec.readBigInt64LE(0)) * 1e3 + Number(timespec.readBigInt64LE(8)) / 1e6;
}

/** Asks whether the processor time is over that begins now. Less of it passes than of any other, which is cheaper to ask for. */
function cpuTime(limitMs: number): () => boolean {
  const [cpuStart, start] = [cpuMs(), performance.now()];
  return () => performance.now() - start >= limitMs && cpuMs() - cpuStart >= limitMs;
}

export interface RaceCount {
  /** Answers that led to another try. */
  readonly retried: number;
  /** Calls that were given up, with such an answer to the end. */
  readonly givenUp: number;
}

const counts = new Map<RetriedCall, { retried: number; givenUp: number }>();

/** What was counted since the process began, by call; calls that met no race are left out. */
export function raceCounts(): ReadonlyMap<RetriedCall, RaceCount> {
  return counts;
}

/** Adds what someone else has counted: a shim, of the calls of its program. */
export function countRaces(call: RetriedCall, { retried, givenUp }: RaceCount): void {
  if (retried + givenUp === 0) return;
  const known = counts.get(call) ?? { retried: 0, givenUp: 0 };
  counts.set(call, { retried: known.retried + retried, givenUp: known.givenUp + givenUp });
}

/**
 * The result of the first try that met no race, or of the last one there may be.
 * @param answerOf which racing answer a result is, null for none; what the table does not have for the call is none.
 */
export function retried<T>(call: RetriedCall, attempt: () => T, answerOf: (result: T) => RacingAnswer | null): T {
  const { answers, retried: bound }: { answers: readonly RacingAnswer[]; retried: Bound } = RACES[call];
  const isRace = (result: T): boolean => {
    const answer = answerOf(result);
    return answer !== null && answers.includes(answer);
  };
  let result = attempt();
  if (!isRace(result)) return result;
  const isOver = bound.cpuMs === null ? () => false : cpuTime(bound.cpuMs);
  let retries = 0;
  while (retries + 1 < bound.tries && !isOver()) {
    retries++;
    result = attempt();
    if (isRace(result)) continue;
    countRaces(call, { retried: retries, givenUp: 0 });
    return result;
  }
  countRaces(call, { retried: retries, givenUp: 1 });
  return result;
}

const NAMES: ReadonlyMap<number, RacingAnswer> = new Map(
  (['EAGAIN', 'EINTR', 'EBUSY', 'ENOBUFS'] as const).map((name) => [constants.errno[name], name]),
);

/** As {@link retried} for a call that answers with a result or the negative errno. */
export function retriedCall(call: RetriedCall, attempt: () => number): number {
  return retried(call, attempt, (result) => (result < 0 ? (NAMES.get(-result) ?? null) : null));
}
