/** A probe that is a program run in the container. */
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { ExecDriver, StdioSession } from '../../drivers/contract/exec.ts';
import { type Timers, within } from '../../model/clock.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import { PROBE_OUTPUT_BYTES } from '../../model/health.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { requireFeature } from '../exec-features.ts';
import type { CheckResult } from './prober.ts';

/** A killed program is given this long to be gone before its session is let go. */
const KILL_GRACE_MS = 2_000;

/** The beginning of what a session writes; the rest is read and dropped, so that the program never waits for us. */
function beginningOf(...streams: readonly Readable[]): () => string {
  const pieces: Buffer[] = [];
  let room = PROBE_OUTPUT_BYTES;
  for (const stream of streams) {
    stream.on('data', (bytes: Buffer) => {
      if (room > 0) pieces.push(bytes.subarray(0, room));
      room -= bytes.length;
    });
    stream.on('error', () => {});
  }
  return () => Buffer.concat(pieces).toString('utf8').trimEnd();
}

async function end(session: StdioSession, timers: Timers): Promise<void> {
  session.signal(constants.signals.SIGKILL);
  await within(timers, KILL_GRACE_MS, session.exited, null).catch(() => null);
  session.close();
}

type Outcome = { readonly type: 'exit'; readonly code: number } | { readonly type: 'late' | 'aborted' };

function outcomeOf(session: StdioSession, late: Promise<'late' | 'aborted'>): Promise<Outcome> {
  return Promise.race([
    session.exited.then((code): Outcome => ({ type: 'exit', code })),
    late.then((type): Outcome => ({ type })),
  ]);
}

/** Nothing is known of the program then: whether it is there could not be found out, or no driver runs it. */
const UNTRIED: ReadonlySet<string> = new Set(['TSD_LOOKUP', 'TSD_DRIVER_LACKS']);

/**
 * Exit 0 is success. A program that takes longer than `timeoutMs`, or whose run ends, is killed. One that could not be looked
 * up is not tried.
 */
export async function checkProgram(
  exec: Pick<ExecDriver, 'name' | 'capabilities' | 'exec'>,
  timers: Timers,
  record: ContainerRecord,
  argv: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CheckResult> {
  const { User, WorkingDir } = record.config;
  const timedOut = `timed out after ${timeoutMs / 1000} s`;
  let cancel = () => {};
  const late = new Promise<'late' | 'aborted'>((resolve) => {
    const cancelTimer = timers.after(timeoutMs, () => resolve('late'));
    const onAbort = () => resolve('aborted');
    signal.addEventListener('abort', onAbort, { once: true });
    // The signal is the run's and outlives this try.
    cancel = () => {
      cancelTimer();
      signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    requireFeature(exec, 'exec');
    const starting = exec.exec(record.id, {
      argv,
      env: [],
      cwd: WorkingDir === '' ? null : WorkingDir,
      user: User,
      tty: false,
      stdin: false,
      privileged: false,
    });
    const session = await Promise.race([starting, late]);
    if (typeof session === 'string') {
      starting.then((begun) => end(begun, timers)).catch(() => {});
      return { ok: false, output: `${timedOut}, before the program began` };
    }
    const output = beginningOf(session.stdout, session.stderr);
    const outcome = await outcomeOf(session, late);
    if (outcome.type !== 'exit') {
      await end(session, timers);
      return { ok: false, output: [timedOut, output()].filter((text) => text !== '').join(': ') };
    }
    session.close();
    if (outcome.code === 0) return { ok: true, output: output() };
    return { ok: false, output: output() === '' ? `exit ${outcome.code}` : `exit ${outcome.code}: ${output()}` };
  } catch (thrown) {
    const error = toTsdError(thrown);
    return UNTRIED.has(error.code) ? { untried: error } : { ok: false, output: describeError(error) };
  } finally {
    cancel();
  }
}
