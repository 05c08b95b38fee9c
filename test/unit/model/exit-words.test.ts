import { expect, test } from 'vitest';
import { describeEnd } from '../../../src/model/errors/exit-words.ts';

test('the end of a run names the signal, or why it is unknown', () => {
  expect(describeEnd(0, false)).toBe('exited with 0');
  expect(describeEnd(128, false)).toBe('exited with 128');
  expect(describeEnd(137, false)).toBe('exited with 137 (SIGKILL)');
  expect(describeEnd(139, false)).toBe('exited with 139 (SIGSEGV)');
  expect(describeEnd(143, false)).toBe('exited with 143 (SIGTERM)');
  expect(describeEnd(159, false)).toBe('exited with 159 (SIGSYS)');
  expect(describeEnd(137, true)).toBe('exited with 137 (out of memory)');
  expect(describeEnd(200, false)).toBe('exited with 200');
  expect(describeEnd(null, false)).toContain('its shim was killed');
});
