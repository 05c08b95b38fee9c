import { describe, expect, it } from 'vitest';
import { buildImageConfig, parseImageConfig } from '../../../src/images/image-config.ts';
import { chainIds } from '../../../src/images/layers.ts';
import { sha256 } from '../../support/images.ts';

const DIFF = 'a'.repeat(64);

describe('parseImageConfig', () => {
  it('fills in values that Go omits or writes as null', () => {
    const json =
      '{"architecture":"amd64","os":"linux","config":{"Env":null,"Cmd":null},"rootfs":{"type":"layers","diff_ids":null}}';
    expect(parseImageConfig(json)).toEqual({
      architecture: 'amd64',
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      diffIds: [],
      config: {
        env: [],
        entrypoint: null,
        cmd: null,
        workingDir: '',
        user: '',
        exposedPorts: [],
        volumes: [],
        labels: {},
        stopSignal: null,
      },
    });
  });

  it.each([
    ['{', /not JSON/],
    ['[]', /expected object/],
    ['{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["md5:1"]}}', /sha256/],
    ['{"architecture":"amd64","os":"linux","config":{"Env":"A=1"},"rootfs":{"type":"layers"}}', /Env/],
  ])('refuses %s', (json, message) => {
    expect(() => parseImageConfig(json)).toThrow(message);
    expect(() => parseImageConfig(json)).toThrow(expect.objectContaining({ code: 'TSD_IMAGE_INVALID' }));
  });
});

describe('buildImageConfig', () => {
  it('round-trips', () => {
    const declared = {
      env: { A: '1', B: 'x=y' },
      entrypoint: ['/bin/app'],
      command: ['--serve'],
      workingDir: '/srv',
      user: 'www-data',
      expose: ['80', '53/udp'],
      volumes: ['/data'],
      labels: { b: '2', a: '1' },
      stopSignal: 'SIGQUIT',
    };
    expect(parseImageConfig(buildImageConfig(declared, DIFF))).toMatchObject({
      diffIds: [DIFF],
      config: {
        env: ['A=1', 'B=x=y'],
        entrypoint: ['/bin/app'],
        cmd: ['--serve'],
        workingDir: '/srv',
        user: 'www-data',
        exposedPorts: ['53/udp', '80/tcp'],
        volumes: ['/data'],
        labels: { a: '1', b: '2' },
        stopSignal: 'SIGQUIT',
      },
    });
  });

  it('does not depend on the order of sets', () => {
    expect(buildImageConfig({ labels: { a: '1', b: '2' }, expose: ['1', '2'] }, DIFF)).toBe(
      buildImageConfig({ expose: ['2', '1'], labels: { b: '2', a: '1' } }, DIFF),
    );
  });
});

describe('chainIds', () => {
  it('follows the OCI rule', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];
    const second = sha256(`sha256:${a} sha256:${b}`);
    expect(chainIds([a, b, c])).toEqual([a, second, sha256(`sha256:${second} sha256:${c}`)]);
  });
});
