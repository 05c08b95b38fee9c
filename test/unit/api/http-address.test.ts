import { describe, expect, test } from 'vitest';
import { describeHttpAddress, isOwnHost, parseHttpAddress } from '../../../src/api/http-address.ts';
import { createGate } from '../../../src/ffi/files/gate.ts';
import { loadDaemonConfig } from '../../../src/settings/daemon-config.ts';

test.each([
  ['127.0.0.1:9323', true, 'http://127.0.0.1:9323'],
  ['127.8.9.1:80', true, 'http://127.8.9.1:80'],
  ['localhost:9323', true, 'http://127.0.0.1:9323'],
  ['[::1]:9323', true, 'http://[::1]:9323'],
  ['0.0.0.0:9323', false, 'http://0.0.0.0:9323'],
  ['[::]:9323', false, 'http://[::]:9323'],
  ['192.0.2.1:1', false, 'http://192.0.2.1:1'],
])('%s', (text, loopback, url) => {
  const address = parseHttpAddress(text);
  expect(address).toMatchObject({ type: 'tcp', loopback });
  expect(describeHttpAddress(address)).toBe(url);
});

test.each([
  '9323',
  ':9323',
  '127.0.0.1',
  '127.0.0.1:70000',
  '::1:9323',
  '[127.0.0.1]:1',
  'example.com:1',
  'unix://rel',
  '',
])('%j is not an address', (text) => {
  expect(() => parseHttpAddress(text)).toThrow(/is no address to serve HTTP on/);
});

test.each([
  ['127.0.0.1:9323', true],
  ['127.0.0.1', true],
  ['localhost:1', true],
  ['[::1]:9323', true],
  ['Box.example:80', true],
  ['evil.example:9323', false],
  ['127.0.0.1.evil.example', false],
  ['localhost.evil.example', false],
  ['', false],
  [undefined, false],
])('host %j', (header, own) => {
  expect(isOwnHost(header, 'box.EXAMPLE')).toBe(own);
});

describe('the settings', () => {
  const gate = createGate({ trusted: { users: [], groups: [] } });
  const load = (flags: Record<string, unknown>) => loadDaemonConfig({ flags, env: {}, configFile: '/dev/null', gate });

  test('serve nothing by default', () => {
    expect(load({}).config).toMatchObject({ metrics: null, web: null });
    expect(load({ web: 'unix:///run/page.sock' }).config?.web).toEqual({ type: 'unix', path: '/run/page.sock' });
  });

  test('require a second setting for a reachable address', () => {
    const { errors } = load({ metrics: '0.0.0.0:9323', web: '[::]:80' });
    expect(errors?.map(({ message }) => message)).toEqual([
      '--metrics: others reach 0.0.0.0, and nothing here is encrypted or asks for a login. Use 127.0.0.1, or --remote-http.',
      '--web: others reach ::, and nothing here is encrypted or asks for a login. Use 127.0.0.1, or --remote-http.',
    ]);
    expect(load({ metrics: '0.0.0.0:9323', remoteHttp: true }).errors).toBeNull();
  });
});
