/** What `run`, `up` and filters of the command line make of their words. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type CreateOptions, creationOf } from '../../../src/cli/commands/docker/create-options.ts';
import { filtersOf } from '../../../src/cli/commands/docker/filters.ts';
import { filesOf } from '../../../src/cli/commands/docker/working-directory.ts';
import { CliContext } from '../../../src/cli/context.ts';
import { tsdocker } from '../../support/api/in-process.ts';

const made = (options: CreateOptions, command: string[] = [], env = {}) =>
  creationOf('busybox', command, options, env, false) as Record<string, unknown> & {
    HostConfig: Record<string, unknown>;
  };

test('ports: one, ranges, addresses and protocols', () => {
  const publish = ['80', '8080:80', '127.0.0.1:53:53/udp', '[::1]:9000-9001:90-91', '7000-7010:70'];
  expect(made({ publish }).HostConfig.PortBindings).toEqual({
    '80/tcp': [
      { HostIp: '', HostPort: '' },
      { HostIp: '', HostPort: '8080' },
    ],
    '53/udp': [{ HostIp: '127.0.0.1', HostPort: '53' }],
    '90/tcp': [{ HostIp: '::1', HostPort: '9000' }],
    '91/tcp': [{ HostIp: '::1', HostPort: '9001' }],
    '70/tcp': [{ HostIp: '', HostPort: '7000-7010' }],
  });
  for (const wrong of ['x', '80:x', '1:2:3:4', '90-80', '70000'])
    expect(() => made({ publish: [wrong] })).toThrow(`-p ${wrong} is no port`);
  expect(() => made({ publish: ['1-2:1-3'] })).toThrow('the ranges have different lengths');
});

test('volumes with and without a source, environment, labels, networks and limits', () => {
  const body = made(
    {
      volume: ['data:/data:ro', '/cache'],
      env: ['A=1', 'HERE', 'GONE'],
      label: ['tier=front', 'plain'],
      network: 'back',
      networkAlias: ['db'],
      ip: '10.0.0.5',
      restart: 'on-failure:3',
      cpus: 0.5,
      tty: true,
      rm: true,
    },
    ['sh'],
    { HERE: 'x', TERM: 'xterm' },
  );
  expect(body).toMatchObject({
    Image: 'busybox',
    Cmd: ['sh'],
    Tty: true,
    Env: ['TERM=xterm', 'A=1', 'HERE=x'],
    Labels: { tier: 'front', plain: '' },
    Volumes: { '/cache': {} },
    HostConfig: {
      Binds: ['data:/data:ro'],
      NetworkMode: 'back',
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      NanoCpus: 500_000_000,
      AutoRemove: true,
    },
    NetworkingConfig: { EndpointsConfig: { back: { Aliases: ['db'], IPAMConfig: { IPv4Address: '10.0.0.5' } } } },
  });
  expect(body).not.toHaveProperty('Entrypoint');
});

test('sizes are written as Docker has them', async () => {
  const { exitCode, stderr } = await tsdocker(['create', '-m', 'much', 'busybox']);
  expect([exitCode, stderr]).toEqual([64, expect.stringContaining('--memory')]);
});

test('filters are joined by key', () => {
  expect(filtersOf(undefined)).toBeUndefined();
  expect(filtersOf(['label=a=b', 'label=c', 'status=exited'])).toBe('{"label":["a=b","c"],"status":["exited"]}');
  expect(() => filtersOf(['label'])).toThrow('a filter is KEY=VALUE');
});

test('up and down take the file of the working directory, and its override', () => {
  const cwd = mkdtempSync('/tmp/tsd-up-');
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  const context = new CliContext({ cwd, env: {} } as CliContext['streams']);
  expect(() => filesOf(context, undefined)).toThrow('has none of tsdocker.yaml, ');
  writeFileSync(join(cwd, 'compose.override.yml'), '');
  writeFileSync(join(cwd, 'docker-compose.yml'), '');
  expect(filesOf(context, undefined)).toEqual(['docker-compose.yml']);
  writeFileSync(join(cwd, 'compose.yaml'), '');
  expect(filesOf(context, undefined)).toEqual(['compose.yaml', 'compose.override.yml']);
  writeFileSync(join(cwd, 'tsdocker.yaml'), '');
  expect(filesOf(context, undefined)).toEqual(['tsdocker.yaml']);
  expect(filesOf(context, ['other.yaml'])).toEqual(['other.yaml']);
});
