/** Namespaces that containers share: what contradicts them, what they wait for, and what other formats say. */
import { describe, expect, test } from 'vitest';
import { desiredState } from '../../../src/manifest/desired-state.ts';
import type { Desired } from '../../../src/model/desired.ts';
import { startConditions } from '../../../src/reconcile/plan/references.ts';
import { service } from '../importers/translation.ts';

function stateOf(containers: string) {
  const lines = containers.replace(/^/gm, '  ');
  const text = `containers:\n${lines}\n`;
  return desiredState(
    [{ sourceId: 'a.yaml', file: 'a.yaml', baseDir: '/m', content: { ok: true, text }, lastGood: null }],
    {
      generation: 1,
      defaultHostIp: '0.0.0.0',
      networkDrivers: { drivers: {}, standard: 'bridge' },
      readFile: (path) => ({ ok: false, reason: 'missing', message: path }),
      hashSecret: () => '',
    },
  );
}

const issuesOf = (containers: string): readonly string[] =>
  (stateOf(containers).sources.get('a.yaml')?.issues ?? []).map(({ message }) => message);

describe('what contradicts', () => {
  test.each([
    ['a: { image: x, pid: other }', 'expected host, private or container:NAME'],
    ['a: { image: x, uts: "container:b" }', 'expected host or private'],
    ['a: { image: x, uts: host, hostname: box }', 'hostname cannot be combined with uts: host'],
    ['a: { image: x, pid: host, init: true }', 'init cannot be combined with pid: host'],
    ['a: { image: x, ipc: none, shmSize: 1MiB }', 'shmSize cannot be combined with ipc: none'],
    ['a: { image: x, ipc: host, sysctls: { kernel.shmmax: 5 } }', 'kernel.shmmax cannot be combined with ipc: host'],
    ['a: { image: x, pid: "container:a" }', 'a container cannot share its own namespace'],
    ['a: { image: x, ipc: "container:b" }\nb: { image: x }', 'b does not share its IPC; set ipc: shareable there'],
    ['a: { image: x, volumes: [{ target: /d, propagation: rslave }] }', 'only the mounts below a bind propagate'],
    [
      'a: { image: x, pid: "container:b" }\nb: { image: x, update: { order: start-first } }',
      'a shares its pid namespace, which order: start-first would replace',
    ],
    [
      'a: { image: x, pid: "container:b" }\nb: { image: x, dependsOn: [a] }',
      'these wait for each other: a/a -> a/b -> a/a',
    ],
  ])('%s', (containers, message) => {
    expect(issuesOf(containers)).toContainEqual(expect.stringContaining(message));
  });
});

test('a container runs after those whose namespaces it shares', () => {
  const state = stateOf(
    'a: { image: x, pid: "container:b", ipc: "container:c" }\nb: { image: x }\nc: { image: x, ipc: shareable }',
  );
  const found = [...state.state.resources.values()].find(({ name }) => name === 'a');
  const { references, spec } = found as Desired<'container'>;
  const conditions = startConditions(references, spec);
  expect(conditions.map(({ condition }) => condition)).toEqual(['started', 'started']);
  expect(conditions.map(({ key }) => key.split('/').at(-1))).toEqual(['b', 'c']);
});

describe('Compose', () => {
  const container = (lines: string) => {
    const { manifest, issues, warnings } = service(lines);
    expect(issues).toEqual([]);
    return { a: manifest.containers?.a as Record<string, unknown>, warnings };
  };

  test('namespaces, memory and groups', () => {
    const { a, warnings } = container(
      'pid: host\nipc: shareable\nuts: host\ncgroup: host\nuserns_mode: host\nshm_size: 64mb\noom_score_adj: -5\ngroup_add: [audio, 1001]',
    );
    const asked = { pid: 'host', ipc: 'shareable', uts: 'host', cgroupns: 'host', shmSize: '64mb', oomScoreAdj: -5 };
    expect(a).toMatchObject({ ...asked, groups: ['audio', '1001'] });
    expect(warnings).toEqual([]);
  });

  test('settings of the kernel, those of the host left out', () => {
    const { a } = container('sysctls: [net.core.somaxconn=5]');
    expect(a.sysctls).toEqual({ 'net.core.somaxconn': '5' });
    expect(service('sysctls: { kernel.panic: 1 }').issues[0]).toContain('kernel.panic is a setting of the whole host');
  });

  test('propagation', () => {
    const { a } = container(
      'volumes:\n  - /srv:/a:rslave\n  - { type: bind, source: /srv, target: /b, bind: { propagation: rshared, create_host_path: false } }',
    );
    expect(a.volumes).toEqual([
      { source: '/srv', target: '/a', create: true, propagation: 'rslave' },
      { source: '/srv', target: '/b', propagation: 'rshared' },
    ]);
  });

  test('what has no meaning in a namespace of the host is left out with a word', () => {
    const { a, warnings } = container('pid: host\ninit: true\nuts: host\nhostname: box\nipc: host\nshm_size: 1m');
    for (const field of ['init', 'hostname', 'shmSize']) {
      expect(a).not.toHaveProperty(field);
      expect(warnings).toContainEqual(expect.stringContaining(`${field} has no meaning with`));
    }
  });
});
