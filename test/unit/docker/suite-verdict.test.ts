/** What a run of docker-py's tests comes to. */
import { expect, test } from 'vitest';
import { readExpected, readOutcomes, verdict } from '../../suites/docker-py/verdict.ts';

const OUTCOMES = readOutcomes('passed a::one\nfailed a::two\nskipped a::three[x y]\n');

test('a run is as expected when exactly the listed tests fail', () => {
  const listed = readExpected('# a comment\n\na::two # needs a swarm\n');
  expect(verdict(OUTCOMES, listed, true)).toEqual({
    summary: '1 passed, 1 failed as expected, 0 unexpected, 1 skipped',
    unexpected: [],
  });
});

test('a listed test that passes fails the run, as one that fails and is not listed, or is no test', () => {
  const listed = readExpected('a::one # r\na::gone # r # more\n');
  expect(verdict(OUTCOMES, listed, true)).toEqual({
    summary: '0 passed, 0 failed as expected, 3 unexpected, 1 skipped',
    unexpected: ['passed, and is listed as a failure: a::one', 'failed: a::two', 'listed, and no test: a::gone'],
  });
  expect(verdict(OUTCOMES, listed, false).unexpected).toHaveLength(2);
  expect(verdict(readOutcomes(''), new Map(), false).unexpected).toEqual(['no test ran']);
});

test('a list without a reason, or with a test twice, is refused', () => {
  expect(() => readExpected('a::one\n')).toThrow('line 1 is not "id # reason"');
  expect(() => readExpected('a::one # r\na::one # s\n')).toThrow('line 2: a::one is listed twice');
});
