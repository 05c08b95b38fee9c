/** Hints for a state: the command to type next. */
import { TsdError } from '../../model/errors/errors.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import type { Hold } from '../../reconcile/op.ts';

/** The loop has ended with everything it ran; a supervisor that starts begins it again. */
export const AFTER_SHUTDOWN =
  'Everything that ran starts again with the next start of the supervisor: `systemctl restart tsdocker`.';

/** What is wanted and not so is kept for the next supervisor, because this one does nothing any more. */
export function postponed(why: string): TsdError {
  const message = `kept for the next start of the supervisor, and not carried out yet: ${why}`;
  return new TsdError('TSD_ENGINE_SHUTDOWN', message, { hint: AFTER_SHUTDOWN });
}

/** True when a run of its own has ended otherwise than it was meant to. */
function hasFailed({ exit }: ObservedContainer, { reason }: Hold): boolean {
  if (exit === null) return false;
  const { failure, rest } = HOLD_TRAITS[reason];
  return failure !== null || (rest === 'done' && exit.code !== 0);
}

/** What to look at where no op of ours failed: the container itself did. Empty where it is well, or its message says it. */
export function containerHint(
  key: ResourceKey,
  observed: ObservedContainer | undefined,
  hold: Hold | undefined,
): string {
  const { app, name } = parseKey(key);
  const shown = `${app}/${name}`;
  if (hold?.hint !== undefined) return hold.hint;
  if (!observed || observed.unknown != null || observed.unrecorded != null) return '';
  if (observed.running) {
    if (hold && HOLD_TRAITS[hold.reason].condition === 'Drifted')
      return `\`tsdocker restart ${shown}\` connects it again; with \`drift: heal\` in its manifest the supervisor does that.`;
    const failing = observed.health?.ready === false && observed.health.results.some(({ ok }) => !ok);
    if (!failing) return '';
    return `\`tsdocker describe ${shown}\` shows what its probes got, \`tsdocker logs ${shown}\` what it wrote.`;
  }
  return hold && hasFailed(observed, hold) ? `\`tsdocker logs ${shown}\` shows what it wrote.` : '';
}

/** Where the past of a resource is shown. */
export function whereToLook(key: ResourceKey): string {
  const { kind, app, name } = parseKey(key);
  const shown = `${app}/${name}`;
  if (kind !== 'container') return `\`tsdocker why ${key}\` tells how it came.`;
  return `\`tsdocker logs ${shown}\` shows what it wrote, \`tsdocker why ${shown}\` how it came.`;
}

/** What ends the wait of an app that is held back. */
export function heldHint(file: string, app: string): string {
  return `Edit ${file}, or \`tsdocker approve ${app}\` takes it over as it is now.`;
}
