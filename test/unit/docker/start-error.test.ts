/** Starts that failed, in Docker's words. */
import { expect, test } from 'vitest';
import { failureOf, startError } from '../../../src/docker/streams/start-error.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import type { ContainerRecord } from '../../../src/state/containers/container-record.ts';

const RECORD = { id: 'c1', engineName: 'web', path: 'run', state: { startError: null } } as unknown as ContainerRecord;

test.each([
  [
    'TSD_USER_NOT_FOUND',
    'user "me" is not in /etc/passwd of the image',
    'unable to find user me: no matching entries in passwd file',
  ],
  [
    'TSD_USER_NOT_FOUND',
    'group "us" is not in /etc/group of the image',
    'unable to find group us: no matching entries in group file',
  ],
  [
    'TSD_PORT_IN_USE',
    'web was not started: host port 127.0.0.1:80/tcp is published by container/shop/x',
    'driver failed programming external connectivity on endpoint web (c1): Bind for 127.0.0.1:80 failed: port is already allocated',
  ],
  [
    'TSD_PORT_IN_USE',
    'host port [::1]:80/udp is in use by caddy',
    'driver failed programming external connectivity on endpoint web (c1): Error starting userland proxy: listen udp6 [::1]:80: bind: address already in use',
  ],
] as const)('%s: %s', (code, message, said) => {
  const thrown = new TsdError(code, message);
  expect(startError(thrown, failureOf(thrown, RECORD))).toMatchObject({ message: said });
});
