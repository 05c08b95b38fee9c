import { describe, expect, test } from 'vitest';
import { ipv6Problem, ipv6Unasked } from '../../../src/ffi/host/ipv6.ts';
import { recordedFiles } from '../../support/host-files.ts';

const CONF = '/proc/sys/net/ipv6/conf';
const host = (all: string, others: string) => ({
  '/proc/net/if_inet6': '00000000000000000000000000000001 01 80 10 80       lo\n',
  [`${CONF}/all/disable_ipv6`]: `${all}\n`,
  [`${CONF}/default/disable_ipv6`]: `${others}\n`,
});

describe('whether this host has IPv6', () => {
  test.each([
    [{}, 'this kernel has no IPv6', 'this kernel has no IPv6'],
    [host('1', '1'), 'net.ipv6.conf.all.disable_ipv6 is 1', 'net.ipv6.conf.all.disable_ipv6 is 1'],
    [host('0', '1'), null, 'net.ipv6.conf.default.disable_ipv6 is 1'],
    [host('0', '0'), null, null],
  ])('%j: %s, and unasked %s', (tree, problem, unasked) => {
    expect([ipv6Problem(recordedFiles(tree)), ipv6Unasked(recordedFiles(tree))]).toEqual([problem, unasked]);
  });

  test('is not answered where it cannot be looked at', () => {
    const denied = recordedFiles({ '/proc/net/if_inet6': new Error('EACCES: permission denied') });
    expect(() => ipv6Problem(denied)).toThrow('EACCES');
  });
});
