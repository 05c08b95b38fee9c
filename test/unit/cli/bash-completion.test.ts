/** The completion for bash, run by bash, with a command in place of tsdocker that prints its arguments. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tsdocker } from '../../support/api/in-process.ts';

let directory: string;
let script: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tsd-completion-'));
  writeFileSync(join(directory, 'a-file'), '');
  script = (await tsdocker(['completion', 'bash'])).stdout;
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What bash offers for the last word. */
function complete(line: string): string[] {
  const program = `
    ${script}
    tsdocker() { shift 3; echo "asked:$*" | tr ' ' '='; }
    COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDBREAKS=' '
    _tsdocker
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-c', program, 'bash', line], { cwd: directory, encoding: 'utf8' });
  return output.split('\n').filter((word) => word !== '');
}

test.each([
  // With others -f, -i and -t take a value.
  ['logs -f ', ['asked:containers']],
  ['logs -t ', ['asked:containers']],
  ['exec -i ', ['asked:container']],
  ['rmi -f ', ['asked:images']],
  ['rollback --to ', ['asked:generations']],
  ['approve ', ['asked:approvals']],
  ['describe ', ['asked:resources']],
  ['-H unix:///run/x.sock stop ', ['asked:containers=-H=unix:///run/x.sock']],
  ['get -o ', ['table', 'wide', 'json', 'yaml', 'name']],
  ['apply -f ', ['a-file']],
  ['stop -t ', ['a-file']],
  ['-H ', ['a-file']],
  ['rollb', ['rollback']],
  ['help rollb', ['rollback']],
  ['restart --ti', ['--timeout']],
])('tsdocker %s', (words, offered) => {
  expect(complete(`tsdocker ${words}`)).toEqual(offered);
});
