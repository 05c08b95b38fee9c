import { describe, expect, it } from 'vitest';
import { toTsdError } from '../../../src/model/errors/errors.ts';

const failure = (code: string, errno?: number) => Object.assign(new Error(`${code}: /root/file`), { code, errno });

describe('a foreign exception', () => {
  it.each([
    ['ENOSPC', 'TSD_DISK_FULL'],
    ['EIO', 'TSD_SYSCALL'],
    ['EROFS', 'TSD_SYSCALL'],
    ['ENOENT', 'TSD_BUG'],
    ['ERR_INVALID_ARG_TYPE', 'TSD_BUG'],
  ])('%s is %s', (code, expected) => {
    expect(toTsdError(failure(code))).toMatchObject({ code: expected, message: `${code}: /root/file` });
  });

  it('keeps the errno, and can be any value', () => {
    expect(toTsdError(failure('EIO', -5)).errno).toBe(5);
    expect(toTsdError(null).code).toBe('TSD_BUG');
    expect(toTsdError('words')).toMatchObject({ code: 'TSD_BUG', message: 'words' });
  });
});
