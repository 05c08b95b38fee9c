import { expect, test } from 'vitest';
import { parseHost } from '../../../src/api/address.ts';

test.each([
  ['unix:///run/x.sock', { type: 'unix', path: '/run/x.sock' }],
  ['unix://', { type: 'unix', path: '/run/tsdocker/tsdocker.sock' }],
  ['fd://', { type: 'fd', name: null }],
  ['fd://*', { type: 'fd', name: null }],
  ['fd://api', { type: 'fd', name: 'api' }],
])('%s', (text, address) => {
  expect(parseHost(text)).toEqual(address);
});

test.each([
  ['localhost:80', 'Invalid bind address format: localhost:80'],
  ['', 'Invalid bind address format: '],
  ['tcp://0.0.0.0:2375', 'tcp://0.0.0.0:2375: tcp is not in this version'],
  ['unix://run/x.sock', 'unix://run/x.sock: the path of a socket must be absolute'],
  [`unix:///${'ä'.repeat(54)}`, /^the socket path is 109 bytes long, the kernel takes 107/],
])('%j is refused', (text, message) => {
  expect(() => parseHost(text)).toThrow(message);
});
