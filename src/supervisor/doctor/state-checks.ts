/** What of the root could not be read, as checks with the command that recovers it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DoctorCheck } from '../../api/views/host-views.ts';
import { describeError } from '../../model/errors/errors.ts';
import { uncertainHint } from '../../reconcile/plan/order/pass.ts';
import type { StateIssue } from '../../state/files/state-file.ts';
import { copiesOf } from '../../state/history/copy-before.ts';

export interface StateFacts {
  readonly issues: readonly StateIssue[];
  /** Apps whose declaration is not certain, with why. */
  readonly uncertain: ReadonlyMap<string, string>;
  /** Damaged files that were moved aside, at this start or an earlier one. */
  readonly aside: readonly string[];
  /** Copies of history.db that upgrades kept. */
  readonly earlier: readonly string[];
}

const DAMAGED = /\.damaged-\d+$/;

function asideIn(directory: string): string[] {
  try {
    return readdirSync(directory).flatMap((name) => (DAMAGED.test(name) ? [join(directory, name)] : []));
  } catch {
    // A failing disk is shown by what is needed of it.
    return [];
  }
}

function earlierIn(root: string): string[] {
  try {
    return copiesOf(join(root, 'history.db')).map(({ path }) => path);
  } catch {
    return [];
  }
}

export function stateFacts(
  root: string,
  issues: readonly StateIssue[],
  uncertain: ReadonlyMap<string, string>,
): StateFacts {
  // Where the run directory lies is a check of its own.
  const ofState = issues.filter(({ error }) => error.code !== 'TSD_UNSUPPORTED_HOST');
  return {
    issues: [...new Set(ofState)],
    uncertain,
    aside: [root, join(root, 'declarations')].flatMap(asideIn),
    earlier: earlierIn(root),
  };
}

/** One check where all is well. */
export function stateChecks({ issues, uncertain, aside, earlier }: StateFacts): DoctorCheck[] {
  const name = 'state';
  const unread = issues.map(({ error }): DoctorCheck => {
    return { name, status: 'failed', message: describeError(error), fix: error.hint };
  });
  const waiting = [...uncertain].map(([app, reason]): DoctorCheck => {
    return { name, status: 'failed', message: `${app} is left as it is: ${reason}`, fix: uncertainHint(app) };
  });
  const kept = aside.map((path): DoctorCheck => {
    const fix = `When everything runs as it should, \`rm -f ${path}*\`.`;
    return { name, status: 'warning', message: `the damaged ${path} is kept`, fix };
  });
  const copies = earlier.map((path): DoctorCheck => {
    const message = `${path} is history.db as it was before an upgrade; docs/state.md has the way back to that version`;
    return { name, status: 'ok', message, fix: null };
  });
  const found = [...unread, ...waiting, ...kept];
  const read: DoctorCheck = { name, status: 'ok', message: 'everything below the root was read', fix: null };
  return [...(found.length > 0 ? found : [read]), ...copies];
}
