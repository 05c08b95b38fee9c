import { describe, expect, test } from 'vitest';
import { classOfErrnoName, ERRNO_CLASSES } from '../../../src/model/errors/errno-classes.ts';
import { OWN_FAILURES } from '../../../src/model/errors/error-class.ts';
import { TsdError, toTsdError } from '../../../src/model/errors/errors.ts';
import { retryDelay } from '../../../src/reconcile/plan/backoff.ts';

/** What may be answered when names are exchanged between two looks at them. */
const BY_NEIGHBOURS = [
  'EINVAL',
  'ENOTDIR',
  'ELOOP',
  'ESTALE',
  'EBUSY',
  'ENOENT',
  'EXDEV',
  'EISDIR',
  'EEXIST',
  'ENODEV',
  'ENXIO',
];
const CALLS = ['openat2', 'open_tree', 'move_mount', 'mkdirat', 'mknodat', 'fchdir', 'mount'];

describe('the classes of errno', () => {
  test.each(CALLS)(
    'an error that another container can cause in %s of a launch is retried, and not a failure of the container',
    (call) => {
      for (const errno of BY_NEIGHBOURS) {
        const found = classOfErrnoName(errno, call, 'launch');
        expect([errno, OWN_FAILURES.has(found), retryDelay(found, 1, 'x') !== null]).toEqual([errno, false, true]);
      }
    },
  );

  test('a program that no kernel starts is an error of the manifest, unless the file is open for writing', () => {
    for (const errno of ['ENOEXEC', 'EACCES', 'ENOENT', 'E2BIG'])
      expect(OWN_FAILURES.has(classOfErrnoName(errno, 'execve', 'launch'))).toBe(true);
    expect(classOfErrnoName('ETXTBSY', 'execve', 'launch')).toBe('unavailable');
  });

  test('no row is hidden by an earlier one', () => {
    const seen = new Set<string>();
    for (const { calls, when, errnos } of ERRNO_CLASSES)
      for (const call of calls ?? ['*'])
        for (const errno of errnos) {
          const hidden = [`* always ${errno}`, `${call} always ${errno}`, `${call} ${when} ${errno}`];
          expect(hidden.filter((entry) => seen.has(entry))).toEqual([]);
          seen.add(`${call} ${when} ${errno}`);
        }
  });

  test('an errno of a Node call is not a defect of ours', () => {
    const failure = (code: string, syscall: string) => Object.assign(new Error(code), { code, errno: -22, syscall });
    expect(toTsdError(failure('EINVAL', 'readlink'))).toMatchObject({
      code: 'TSD_SYSCALL',
      class: 'unavailable',
      errno: 22,
    });
    expect(toTsdError(failure('ENOENT', 'open')).class).toBe('precondition');
    expect(toTsdError(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' }))).toMatchObject({
      code: 'TSD_BUG',
    });
    expect(toTsdError(new TsdError('TSD_LOOKUP', 'x')).code).toBe('TSD_LOOKUP');
  });
});
