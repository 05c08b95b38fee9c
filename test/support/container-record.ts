import { type ContainerRecord, NEVER_RUN } from '../../src/state/containers/container-record.ts';
import { HOST_CONFIG, RUN_CONFIG } from '../../src/state/containers/run-config.ts';

/** A container of ours that was made and never run. */
export function containerRecord(overrides: Partial<ContainerRecord> = {}): ContainerRecord {
  const id = overrides.id ?? 'ab'.repeat(32);
  return {
    id,
    owner: {
      key: 'container/blog/web',
      written: { image: 'nginx', ports: ['8080:80'] },
      schemaVersion: 1,
      specHash: 'cafe',
      contentHashes: { './web.env': 'f00d' },
      generation: 7,
    },
    engineName: 'blog-web',
    created: '2026-01-02T03:04:05.000000678Z',
    imageId: '11'.repeat(32),
    topLayer: '22'.repeat(32),
    snapshotId: id,
    graphDriver: 'overlay',
    execDriver: 'native',
    path: '/bin/web',
    args: ['--listen', ':80'],
    config: { ...RUN_CONFIG.zero(), Hostname: 'web', Env: ['A=1'], Image: 'nginx' },
    hostConfig: { ...HOST_CONFIG.zero(), NetworkMode: 'bridge' },
    run: 0,
    begunAt: null,
    state: NEVER_RUN,
    handle: null,
    network: null,
    volumes: {},
    stopOverride: null,
    stopTimeoutMs: null,
    stopping: null,
    restart: { restarts: 0, consecutive: 0, requested: false },
    linkAddresses: {},
    envAddresses: {},
    resolver: null,
    dependencyRuns: {},
    hostnamePath: '/r/hostname',
    hostsPath: '/r/hosts',
    resolvConfPath: '/r/resolv.conf',
    ...overrides,
  };
}

export const CONTAINER_TEXTS = { hostname: 'web\n', hosts: '127.0.0.1\tlocalhost\n', 'resolv.conf': '' };
