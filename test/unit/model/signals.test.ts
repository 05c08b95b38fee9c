import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { parseSignal } from '../../../src/model/kinds/runtime-forms.ts';
import { readSignal, type SignalName, signalName, signalNumber } from '../../../src/model/signals.ts';

describe('a signal as it is written', () => {
  test.each(Object.entries(constants.signals))('%s is %i here', (name, number) => {
    expect(readSignal(name)).toBe(number);
    expect(readSignal(name.slice(3).toLowerCase())).toBe(number);
  });

  test.each([
    ['RTMIN', 34],
    ['sigrtmin+3', 37],
    ['RTMAX-1', 63],
    ['64', 64],
    [' 9 ', 9],
  ])('%j is %i', (text, number) => expect(readSignal(text)).toBe(number));

  test.each(['', '0', '65', '100', '-9', '9.0', 'RTMIN+31', 'RTMAX-31', 'SIG', 'TERMINATE'])(
    '%j is not a signal',
    (text) => expect(readSignal(text)).toBeNull(),
  );
});

test('every number from 1 to 64 has a name', () => {
  for (let number = 1; number <= 64; number++) {
    expect(signalNumber(signalName(number))).toBe(number);
    expect(parseSignal(number)).toEqual({ ok: true, value: signalName(number) });
  }
});

test('an unknown name is a defect', () => expect(() => signalNumber('SIGNONE' as SignalName)).toThrow(RangeError));
