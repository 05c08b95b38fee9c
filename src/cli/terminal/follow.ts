import { errorFromJson } from '../../api/http-errors.ts';
import type { ApplyEvent } from '../../api/requests.ts';
import { TsdError, type TsdErrorJson } from '../../model/errors/errors.ts';
import type { CliContext } from '../context.ts';
import { jsonText } from '../data.ts';
import { printError, printIssues, printWarning } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { formatPlan } from '../output/plan.ts';
import { makeProgress, type Progress } from '../output/progress.ts';

/**
 * Shows a stream of events to its end and says how it went: rejected manifests, a failed event and, with `mustBeReady`,
 * an end without `ready` are errors, and so are failed operations that nothing repaired.
 */
export async function follow(
  context: CliContext,
  events: AsyncIterable<ApplyEvent>,
  options: { readonly mustBeReady: boolean; readonly json?: boolean; readonly done?: string },
): Promise<number> {
  const progress = options.json === true ? jsonLines(context) : makeProgress(context, options.done);
  const seen: ApplyEvent[] = [];
  try {
    for await (const event of events) {
      progress.show(event);
      if (event.type !== 'progress') seen.push(event);
    }
  } finally {
    progress.end();
  }
  return verdict(context, seen, options.mustBeReady);
}

/**
 * Shows a change of what is declared to its end: with `dryRun` the plan alone, else as {@link follow} does, to readiness
 * where someone waits for it.
 */
export async function followChange(
  context: CliContext,
  events: AsyncIterable<ApplyEvent>,
  {
    dryRun,
    waitMs,
    json = false,
  }: { readonly dryRun: boolean; readonly waitMs: number | null; readonly json?: boolean },
): Promise<number> {
  if (!dryRun) return follow(context, events, { mustBeReady: waitMs !== null, json });
  for await (const event of events) {
    if (json) context.print(jsonText(event));
    if (event.type === 'rejected') {
      printIssues(context, event.issues);
      return EXIT.error;
    }
    if (event.type === 'accepted' && !json) context.print(formatPlan(context, event.plan));
  }
  return EXIT.ok;
}

/** Each event as an object on a line of its own. */
function jsonLines(context: CliContext): Progress {
  return { show: (event) => context.print(jsonText(event)), end: () => {} };
}

function verdict(context: CliContext, seen: readonly ApplyEvent[], mustBeReady: boolean): number {
  if (seen.some((event) => event.type === 'ready')) return EXIT.ok;
  let failed = false;
  // An operation that is tried again fails as before, which says nothing more.
  const said = new Set<string>();
  const printOnce = (error: TsdErrorJson) => {
    const text = JSON.stringify([error.code, error.message, error.hint]);
    if (!said.has(text)) printError(context, errorFromJson(error));
    said.add(text);
  };
  for (const event of seen) {
    if (event.type === 'postponed') printWarning(context, errorFromJson(event.error));
    if (event.type === 'rejected') printIssues(context, event.issues);
    else if (event.type === 'failed') printOnce(event.error);
    else if (event.type === 'op' && event.status === 'failed' && event.error) printOnce(event.error);
    else continue;
    failed = true;
  }
  if (failed) return EXIT.error;
  if (!mustBeReady) return EXIT.ok;
  printError(context, new TsdError('TSD_TIMEOUT', 'the supervisor stopped before everything was ready'));
  return EXIT.error;
}
