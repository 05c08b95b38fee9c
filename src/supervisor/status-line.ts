/** Keeps the line that `systemctl status` shows current (sd_notify(3), STATUS=). */
import { describeError, toTsdError } from '../model/errors/errors.ts';
import type { ResourceKey } from '../model/resource.ts';
import { HOLD_TRAITS } from '../model/status/holds.ts';
import { asBlanks } from '../model/text/text-controls.ts';
import type { Hold } from '../reconcile/op.ts';
import type { SupervisorEventBus } from './events.ts';

export interface StatusFacts {
  readonly generation: number;
  readonly running: number;
  readonly containers: number;
  /** Holds of all declared resources. */
  readonly holds: readonly (readonly [ResourceKey, Hold])[];
}

/** Least time between two lines. */
const INTERVAL_MS = 1_000;

/** `generation 4, 11 of 12 containers running; failing: blog/web (exited with 1)`. Pure. @internal */
export function statusLine({ generation, running, containers, holds }: StatusFacts): string {
  const failing = holds.filter(([, { reason }]) => HOLD_TRAITS[reason].statusLine === 'failing');
  const waiting = holds.filter(([, { reason }]) => HOLD_TRAITS[reason].statusLine === 'waiting').length;
  const parts = [`generation ${generation}, ${running} of ${containers} containers running`];
  if (waiting > 0) parts.push(`${waiting} waiting`);
  const [first] = failing;
  if (first) {
    const [key, { message }] = first;
    const others = failing.length > 1 ? ` and ${failing.length - 1} more` : '';
    parts.push(`failing: ${key.split('/').slice(1).join('/')} (${message})${others}`);
  }
  return oneLine(parts.join('; '));
}

const oneLine = (text: string): string => asBlanks(text).slice(0, 500);

/** Facts that cannot be found out, as while the disk fails, are no reason to end: the line says why. */
function lineOf(facts: () => StatusFacts): string {
  try {
    return statusLine(facts());
  } catch (error) {
    return oneLine(`not known: ${describeError(toTsdError(error))}`);
  }
}

/** Sends the line at once and after changes, at most once a second. Returns what ends that. */
export function keepStatus(
  events: SupervisorEventBus,
  facts: () => StatusFacts,
  send: (line: string) => void,
): () => void {
  let timer: NodeJS.Timeout | null = null;
  const sendLine = (): void => send(lineOf(facts));
  const onChange = (): void => {
    timer ??= setTimeout(() => {
      timer = null;
      sendLine();
    }, INTERVAL_MS).unref();
  };
  events.on('change', onChange);
  sendLine();
  return () => {
    events.off('change', onChange);
    if (timer) clearTimeout(timer);
  };
}
