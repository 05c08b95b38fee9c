/** What a run of the suite comes to: outcomes of tests against those that are expected to fail. */

export type Outcome = 'passed' | 'failed' | 'skipped';

export interface Verdict {
  /** One line. */
  readonly summary: string;
  /** What is not as expected, a line each. */
  readonly unexpected: readonly string[];
}

/** Lines `outcome id`, as outcomes.py writes them. */
export function readOutcomes(text: string): ReadonlyMap<string, Outcome> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const space = line.indexOf(' ');
      return [line.slice(space + 1), line.slice(0, space) as Outcome];
    }),
  );
}

/** Lines `id # reason`; a line that begins with # is a comment. */
export function readExpected(text: string): ReadonlyMap<string, string> {
  const expected = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [id = '', reason = ''] = line.split(' # ', 2);
    if (id === '' || reason.trim() === '') throw new Error(`line ${index + 1} is not "id # reason": ${line}`);
    if (expected.has(id)) throw new Error(`line ${index + 1}: ${id} is listed twice`);
    expected.set(id, reason.trim());
  }
  return expected;
}

/** @param complete all tests were asked for: one that is expected to fail has to be among them */
export function verdict(
  outcomes: ReadonlyMap<string, Outcome>,
  expected: ReadonlyMap<string, string>,
  complete: boolean,
): Verdict {
  const unexpected: string[] = [];
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const [id, outcome] of outcomes) {
    const isExpected = expected.has(id);
    if (outcome === 'failed' && !isExpected) unexpected.push(`failed: ${id}`);
    else if (outcome !== 'failed' && isExpected) unexpected.push(`${outcome}, and is listed as a failure: ${id}`);
    else count[outcome]++;
  }
  if (complete) for (const id of expected.keys()) if (!outcomes.has(id)) unexpected.push(`listed, and no test: ${id}`);
  if (outcomes.size === 0) unexpected.push('no test ran');
  const skipped = count.skipped === 0 ? '' : `, ${count.skipped} skipped`;
  const summary = `${count.passed} passed, ${count.failed} failed as expected, ${unexpected.length} unexpected${skipped}`;
  return { summary, unexpected };
}
