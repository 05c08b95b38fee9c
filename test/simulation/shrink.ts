import { type Outcome, runEpisode } from './episode.ts';
import type { Action, Script } from './script.ts';

/** How often a script may be tried while it is made smaller. */
const MOST_TRIES = 400;

/** What broke, without the names and numbers that may be others in a smaller script. */
function kindOf(broken: string): string {
  return broken
    .replaceAll(/(?:image|volume|network|container)\/\S+/g, 'X')
    .replaceAll(/[0-9a-f]{8,}|[\d.]+/g, '0')
    .slice(0, 40);
}

/**
 * Delta debugging (Zeller, ddmin): leaves out ever smaller parts of a script as long as the same invariant breaks.
 */
export async function shrink(
  script: Script,
  outcome: Outcome,
  mostTries = MOST_TRIES,
): Promise<{ script: Script; outcome: Outcome }> {
  const kind = kindOf(outcome.broken ?? '');
  let best = { script, outcome };
  let tries = 0;
  const breaks = async (actions: readonly Action[]): Promise<boolean> => {
    tries += 1;
    const smaller = { ...script, actions };
    const result = await runEpisode(smaller);
    if (result.broken === null || kindOf(result.broken) !== kind) return false;
    best = { script: smaller, outcome: result };
    return true;
  };
  let parts = 2;
  while (best.script.actions.length > 1 && tries < mostTries) {
    const { actions } = best.script;
    const size = Math.ceil(actions.length / parts);
    let smaller = false;
    for (let from = 0; from < actions.length && !smaller && tries < mostTries; from += size) {
      smaller = await breaks([...actions.slice(0, from), ...actions.slice(from + size)]);
    }
    if (smaller) parts = Math.max(parts - 1, 2);
    else if (size === 1) break;
    else parts = Math.min(parts * 2, actions.length);
  }
  return best;
}
