/**
 * Runs the checks and the test levels of `npm test` or `npm run test:all`, shows each as it runs, and ends with
 * what each failed test said and one line: `N passed, N failed, N skipped`. Exits non-zero when anything failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const mode = process.argv[2] ?? 'test';
const checks = [
  ['format and lint', ['biome', 'ci', '.']],
  ['types', ['tsc', '--noEmit', '-p', 'tsconfig.json']],
  ['import rules', ['depcruise', 'src', '--config', '.dependency-cruiser.cjs']],
  ['dead code', ['knip']],
  ['code that only tests reach', ['knip', '--production', '--include', 'files,exports,types']],
];
/** Levels that run one after the other; the files of those in one group run side by side. */
const groups = [
  ['unit'],
  ['simulation', 'contract', 'integration', 'attack', 'fault'],
  ...(mode === 'test:all' ? [['e2e']] : []),
];
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const failedTests = [];
const MESSAGE_LINES = 12;

function heading(text) {
  console.log(`\n==> ${text}`);
}

function runCheck([name, [tool, ...args]]) {
  heading(name);
  const { status } = spawnSync('npx', ['--no-install', tool, ...args], { stdio: 'inherit' });
  if (status === 0) totals.passed += 1;
  else {
    totals.failed += 1;
    failures.push(name);
  }
}

function runNodeCheck(name, args) {
  heading(name);
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status === 0) totals.passed += 1;
  else {
    totals.failed += 1;
    failures.push(name);
  }
}

/** Each failed test (or file that could not be run) with the head of what it said, to be told again at the end. */
function failuresOf({ testResults = [] }) {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (failed.length === 0 && status === 'failed') return [`${file}\n${headOf(message)}`];
    return failed.map((test) => `${file} > ${test.fullName}\n${headOf(test.failureMessages.join('\n'))}`);
  });
}

function headOf(message) {
  const lines = (message ?? '').split('\n').slice(0, MESSAGE_LINES);
  return lines.map((line) => `    ${line}`).join('\n');
}

const levelOf = (file) => relative(process.cwd(), file).split('/')[1];

/** How long the files of a level took, added up: they ran beside those of other levels. */
function printTimes({ testResults = [] }, group, seconds) {
  console.log(`${group.join(', ')}: ${seconds} s`);
  for (const level of group) {
    const files = testResults.filter(({ name }) => levelOf(name) === level);
    const tests = files.flatMap(({ assertionResults }) => assertionResults);
    const took = files.reduce((sum, { startTime, endTime }) => sum + endTime - startTime, 0);
    console.log(
      `  ${level}: ${tests.length} tests in ${files.length} files, ${Math.round(took / 1000)} s of the workers`,
    );
  }
}

function runGroup(group) {
  heading(`${group.join(', ')} tests`);
  const directory = mkdtempSync(join(tmpdir(), 'tsd-results-'));
  const output = join(directory, 'results.json');
  const started = Date.now();
  const { status } = spawnSync(
    'npx',
    [
      '--no-install',
      'vitest',
      'run',
      ...group.flatMap((level) => ['--project', level]),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${output}`,
    ],
    { stdio: 'inherit', env: { ...process.env, TSD_TEST_LEVELS: mode } },
  );
  let results;
  try {
    results = JSON.parse(readFileSync(output, 'utf8'));
  } catch {
    results = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0 };
  }
  rmSync(directory, { recursive: true, force: true });
  failedTests.push(...failuresOf(results));
  totals.passed += results.numPassedTests;
  totals.failed += results.numFailedTests;
  totals.skipped += results.numPendingTests;
  if (status !== 0) {
    failures.push(`${group.join(', ')} tests`);
    if (results.numFailedTests === 0) totals.failed += 1;
  }
  printTimes(results, group, Math.round((Date.now() - started) / 1000));
}

for (const check of checks) runCheck(check);
runNodeCheck('generated files are current', [
  '--import',
  './test/support/run-typescript.mjs',
  'scripts/generate.mjs',
  '--check',
]);
for (const group of groups) runGroup(group);

if (failures.length > 0) console.log(`\nfailed: ${failures.join(', ')}`);
for (const failed of failedTests) console.log(`\nfailed: ${failed}`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed === 0 ? 0 : 1);
