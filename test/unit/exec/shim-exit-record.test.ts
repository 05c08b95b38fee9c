import { describe, expect, it } from 'vitest';
import { parseExitRecord } from '../../../src/drivers/exec/native/shim/exit-record.ts';

const line =
  'tsdocker-exit version=1 code=7 signal=0 core=0 finished=2014-12-16T08:00:00.123456789Z boottime=12.000000345\n';
const parse = (text: string) => parseExitRecord(text, 'exit.1');

describe('an exit record', () => {
  it('has the code and the time', () => {
    expect(parse(line)).toEqual({ exitCode: 7, signal: null, coreDumped: false, finishedAtMs: 1_418_716_800_123 });
  });

  it('has 128 + signal for a payload that was killed', () => {
    const killed = line.replace('code=7 signal=0 core=0', 'code=- signal=11 core=1');
    expect(parse(killed)).toMatchObject({ exitCode: 139, signal: 11, coreDumped: true });
  });

  it('can have more keys in later versions', () => {
    expect(parse(line.replace('\n', ' cpu=5\n')).exitCode).toBe(7);
  });

  it.each([
    ['empty', ''],
    ['another file', 'hello\n'],
    ['torn', line.slice(0, -1)],
    ['without a code', line.replace('code=7 ', '')],
    ['with a code that is none', line.replace('code=7', 'code=256')],
    ['without a time', line.replace(/finished=\S+ /, '')],
  ])('that is %s is refused', (_, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'TSD_STATE_CORRUPT' }));
  });
});
