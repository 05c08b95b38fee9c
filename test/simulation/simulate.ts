/** Many scripts, one after the other; the first that breaks an invariant is shrunk. */
import { type Outcome, runEpisode } from './episode.ts';
import { type Script, writeScript } from './script.ts';
import { shrink } from './shrink.ts';

/** Actions of one script: long enough for troubles to meet, short enough to be read after it was shrunk. */
const SCRIPT_LENGTH = 100;

export interface Tally {
  readonly ops: number;
  readonly steps: number;
  readonly episodes: number;
}

export interface Failure {
  readonly script: Script;
  readonly outcome: Outcome;
}

/** @param ops carried out at least, unless something breaks. */
export async function simulate(
  seed: string,
  ops: number,
  { tries, clients = false }: { /** To shrink a failure. */ readonly tries?: number; readonly clients?: boolean } = {},
): Promise<{ readonly tally: Tally; readonly failure: Failure | null }> {
  let tally: Tally = { ops: 0, steps: 0, episodes: 0 };
  while (tally.ops < ops) {
    const script = writeScript(`${seed}.${tally.episodes}`, SCRIPT_LENGTH, clients);
    const outcome = await runEpisode(script);
    tally = { ops: tally.ops + outcome.ops, steps: tally.steps + outcome.steps, episodes: tally.episodes + 1 };
    if (outcome.broken !== null) return { tally, failure: await shrink(script, outcome, tries) };
  }
  return { tally, failure: null };
}
