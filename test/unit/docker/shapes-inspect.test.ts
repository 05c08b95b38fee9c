/** What clients read of one container, image and network: echoes of requests, defaults, and older versions. */
import { expect, test } from 'vitest';
import { hostConfigJson } from '../../../src/docker/containers/host-config.ts';
import { mergedConfig } from '../../../src/docker/containers/image-config.ts';
import { bindsOf, requestOf, tmpfsMountsOf } from '../../../src/docker/containers/request.ts';
import { downShape } from '../../../src/docker/down-shape.ts';
import { globSource } from '../../../src/docker/images/glob.ts';
import type { ContainerOwner } from '../../../src/state/containers/container-record.ts';

const FACTS = { networkMode: 'back' };

test('what a client asked of the host is given back as it was sent, with defaults for the rest', () => {
  const asked = {
    Binds: ['/a:/b:ro,z'],
    Dns: [],
    CapAdd: ['NET_ADMIN'],
    Memory: 1024,
    RestartPolicy: { Name: '', MaximumRetryCount: 0 },
    PortBindings: { '80/tcp': [{ HostPort: '' }], '81/tcp': null },
    Ulimits: [{ Name: 'nofile', Soft: 5, Hard: 6 }],
    LogConfig: { Type: '', Config: null },
    NetworkMode: 'default',
    ShmSize: 0,
    PidsLimit: 0,
    MemorySwappiness: -1,
    Mounts: [{ Type: 'tmpfs', Target: '/t' }],
    Nonsense: 1,
  };
  const json = hostConfigJson(asked, FACTS);
  expect(json).toMatchObject({
    Binds: ['/a:/b:ro,z'],
    Dns: [],
    DnsSearch: null,
    CapAdd: ['NET_ADMIN'],
    CapDrop: null,
    Memory: 1024,
    MemorySwap: 2048,
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '' }], '81/tcp': null },
    Ulimits: [{ Name: 'nofile', Hard: 6, Soft: 5 }],
    LogConfig: { Type: 'json-file', Config: {} },
    NetworkMode: 'back',
    ShmSize: 64 * 1024 * 1024,
    IpcMode: 'private',
    PidsLimit: null,
    MemorySwappiness: null,
    Mounts: [{ Type: 'tmpfs', Target: '/t' }],
    ReadonlyPaths: expect.arrayContaining(['/proc/sys']),
  });
  expect(json).not.toHaveProperty('Nonsense');
  expect(json).not.toHaveProperty('Tmpfs');
  expect(hostConfigJson({ Privileged: true }, FACTS)).toMatchObject({ MaskedPaths: null, ReadonlyPaths: null });
  expect(hostConfigJson({ Privileged: true, MaskedPaths: [] }, FACTS)).toMatchObject({ MaskedPaths: [] });
  expect(hostConfigJson({ MemorySwap: -1, Memory: 5 }, FACTS)).toMatchObject({ MemorySwap: -1 });
});

const IMAGE = {
  Env: ['PATH=/bin', 'LANG=C'],
  Entrypoint: ['/init'],
  Cmd: ['serve'],
  Labels: { from: 'image', both: 'image' },
  ExposedPorts: { '80/tcp': {} },
  Volumes: { '/data': {} },
  User: 'app',
  WorkingDir: '/srv',
  StopSignal: 'SIGQUIT',
  Healthcheck: { Test: ['CMD', 'ok'], Interval: 5, Retries: 2 },
};

test('a container has what its image says where it was asked for nothing else', () => {
  expect(mergedConfig({ Image: 'x' }, IMAGE, 'abc')).toEqual({
    Hostname: 'abc',
    Domainname: '',
    User: 'app',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: { '80/tcp': {} },
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: ['PATH=/bin', 'LANG=C'],
    Cmd: ['serve'],
    Entrypoint: ['/init'],
    Healthcheck: { Test: ['CMD', 'ok'], Interval: 5, Retries: 2 },
    Image: 'x',
    Volumes: { '/data': {} },
    WorkingDir: '/srv',
    OnBuild: null,
    Labels: { from: 'image', both: 'image' },
    StopSignal: 'SIGQUIT',
  });
});

test('requests and images are merged member by member', () => {
  const own = {
    Env: ['LANG=de', 'A=b'],
    Labels: { both: 'own' },
    ExposedPorts: { '99/udp': {} },
    Healthcheck: { Test: [], Interval: 7 },
    Tty: true,
    StopTimeout: 3,
  };
  expect(mergedConfig(own, IMAGE, 'abc')).toMatchObject({
    Env: ['LANG=de', 'A=b', 'PATH=/bin'],
    Labels: { from: 'image', both: 'own' },
    ExposedPorts: { '80/tcp': {}, '99/udp': {} },
    Healthcheck: { Test: ['CMD', 'ok'], Interval: 7, Retries: 2 },
    Tty: true,
    StopTimeout: 3,
  });
  const command = (config: object) => {
    const { Cmd, Entrypoint } = mergedConfig(config as never, IMAGE, 'abc');
    return { Cmd, Entrypoint };
  };
  expect(command({ Cmd: 'other' })).toEqual({ Cmd: ['other'], Entrypoint: ['/init'] });
  expect(command({ Cmd: ['other'] })).toEqual({ Cmd: ['other'], Entrypoint: ['/init'] });
  expect(command({ Entrypoint: ['/bin/sh'] })).toEqual({ Cmd: null, Entrypoint: ['/bin/sh'] });
  expect(command({ Entrypoint: [''], Cmd: ['sh'] })).toEqual({ Cmd: ['sh'], Entrypoint: null });
  expect(mergedConfig({}, {}, 'abc')).toMatchObject({ Env: null, Cmd: null, Volumes: null, Labels: {} });
});

test('a request is read from the record of its container', () => {
  const body = {
    Image: 'x',
    // Clients may write names in any case, and a text for a list of one.
    cmd: 'run',
    hostConfig: {
      binds: ['a:/b'],
      Mounts: [
        { Type: 'tmpfs', Target: '/t' },
        { Type: 'bind', Target: '/x' },
      ],
    },
    NetworkingConfig: { EndpointsConfig: { back: { Aliases: ['w'] }, front: null } },
  };
  const owner = { request: { body } } as unknown as ContainerOwner;
  const request = requestOf(owner);
  expect(request).toEqual({
    config: { Image: 'x', Cmd: 'run' },
    hostConfig: { Binds: ['a:/b'], Mounts: body.hostConfig.Mounts },
    endpoints: { back: { Aliases: ['w'] }, front: {} },
  });
  expect([bindsOf(request), tmpfsMountsOf(request)]).toEqual([['a:/b'], ['/t']]);
  expect(requestOf({} as ContainerOwner)).toBeNull();
});

test('older clients get the shape of their version', () => {
  const network = { EnableIPv4: true, Name: 'x' };
  expect(downShape(47, 'network', network)).toEqual({ Name: 'x' });
  expect(downShape(48, 'network', network)).toEqual(network);
  const image = { Size: 5, Config: { User: '' } };
  expect(Object.keys(downShape(51, 'image', image))).toEqual(['Size', 'Config']);
  expect(downShape(43, 'image', image)).toMatchObject({ VirtualSize: 5, Created: '0001-01-01T00:00:00Z' });
  expect(downShape(44, 'image', image)).not.toHaveProperty('Created');
  const listed = { RepoTags: [], RepoDigests: [], Size: 1 };
  expect(downShape(42, 'listed image', listed)).toMatchObject({
    RepoTags: ['<none>:<none>'],
    RepoDigests: ['<none>@<none>'],
    VirtualSize: 1,
  });
  expect(downShape(43, 'listed image', listed)).toMatchObject({ RepoTags: [] });
  const container = {
    Id: 'abcdefabcdef0123',
    Config: { Hostname: 'host' },
    NetworkSettings: {
      Networks: { bridge: { Aliases: null, GwPriority: 0 }, back: { Aliases: ['w'], GwPriority: 1 } },
    },
  };
  expect(downShape(44, 'container', container)).toMatchObject({
    NetworkSettings: {
      Networks: { bridge: { Aliases: null }, back: { Aliases: ['w', 'abcdefabcdef', 'host'] } },
    },
  });
  expect(downShape(51, 'container', container)).toEqual(container);
});

test('patterns of names are those of Go', () => {
  const matches = (glob: string, text: string) => new RegExp(globSource(glob)).test(text);
  expect([matches('b*x:1', 'busybox:1'), matches('*', 'a/b'), matches('*/?', 'a/b'), matches('[a-c]x', 'bx')]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect([matches('[^a]x', 'ax'), matches('a.b', 'axb'), matches('a\\*', 'a*')]).toEqual([false, false, true]);
  for (const wrong of ['[', '[]', 'a\\']) expect(() => globSource(wrong)).toThrow('syntax error in pattern');
});
