/** docs/errors.md from the error catalogue. */
const CLASSES = {
  invalid: 'waits until the manifest or request is changed',
  unsupported: 'waits until the host or the setting changes',
  'not-found': 'looks again at once',
  'already-exists': 'looks again at once',
  conflict: 'tries again, less and less often',
  precondition: 'tries again, less and less often',
  unavailable: 'tries again, less and less often',
  exhausted: 'tries again, less and less often',
  timeout: 'tries again, less and less often',
  denied: 'tries again, rarely',
  'data-loss': 'waits for `tsdocker approve`',
  bug: 'leaves that resource alone and goes on with the others',
};

export function errorReference(catalogue) {
  const lines = [
    '# Errors',
    '',
    '<!-- Generated from src/model/errors/error-catalogue.ts by `npm run generate`. -->',
    '',
    'Every error has a code. Its class alone decides what the supervisor does about it.',
    '',
    '| class | the supervisor |',
    '|---|---|',
    ...Object.entries(CLASSES).map(([name, does]) => `| ${name} | ${does} |`),
    '',
    '| code | class | what happened | what to do |',
    '|---|---|---|---|',
    ...Object.entries(catalogue).map(([code, row]) => `| \`${code}\` | ${row.class} | ${row.title} | ${row.hint} |`),
  ];
  return `${lines.join('\n')}\n`;
}
