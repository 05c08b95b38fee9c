/** Builds as Docker's clients ask for them, and what they are answered. */
import { describe, expect, test } from 'vitest';
import type { BuildEvent } from '../../../src/api/images/build.ts';
import { buildLines, quietLines } from '../../../src/docker/images/build/build-lines.ts';
import { buildRequest } from '../../../src/docker/images/build/build-request.ts';
import { untilOf } from '../../../src/docker/images/until.ts';
import { Query } from '../../../src/docker/wire/query.ts';
import { mergedConfig } from '../../../src/images/make/merged-config.ts';

const ID = 'a'.repeat(64);
const asked = (search: string) => buildRequest(new Query(search), '/body', {}, (name) => name === 'known');

/** What docker build sends where nothing is asked for. */
const USUAL =
  'buildargs=%7B%7D&cachefrom=%5B%5D&cgroupparent=&cpuperiod=0&cpuquota=0&cpusetcpus=&cpusetmems=&cpushares=0' +
  '&dockerfile=Dockerfile&labels=%7B%7D&memory=0&memswap=0&networkmode=default&rm=1&shmsize=0&target=&ulimits=null&version=1';

describe('a request', () => {
  test('that asks for nothing has no limits', () => {
    expect(asked(USUAL)).toMatchObject({
      context: { type: 'archive', path: '/body' },
      dockerfile: 'Dockerfile',
      tags: [],
      network: 'default',
      noCache: false,
      pull: false,
      extraHosts: [],
      limits: {
        memoryBytes: null,
        memorySwapBytes: null,
        cpus: null,
        cpuShares: null,
        cpuset: null,
        shmBytes: null,
        ulimits: {},
      },
    });
  });

  test('has its names, arguments, limits and hosts', () => {
    const json = (value: unknown) => encodeURIComponent(JSON.stringify(value));
    const request = asked(
      `t=x&t=docker.io%2Flibrary%2Fx&t=r.example%2Fy%3A2&buildargs=${json({ A: 'b', C: null })}&memswap=-1&memory=9000000` +
        `&cpuquota=50000&shmsize=1048576&ulimits=${json([{ Name: 'nofile', Soft: 5, Hard: 10 }])}` +
        '&extrahosts=a%3A1.2.3.4,b%3A%3A%3A1&extrahosts=c%3D%5B%3A%3A2%5D&networkmode=bridge&platform=linux%2Farm64',
    );
    expect(request.tags).toEqual(['x:latest', 'r.example/y:2']);
    expect(request.args).toEqual({ A: 'b' });
    expect(request.limits).toMatchObject({
      memoryBytes: 9_000_000,
      memorySwapBytes: -1,
      cpus: 0.5,
      shmBytes: 1_048_576,
    });
    expect(request.limits?.ulimits).toEqual({ nofile: { soft: 5, hard: 10 } });
    expect(asked('memory=9000000').limits?.memorySwapBytes).toBe(18_000_000);
    expect(request.extraHosts).toEqual(['a:1.2.3.4', 'b:::1', 'c:::2']);
    expect(request.platform).toBe('linux/arm64');
  });

  test('names a Dockerfile of the context, whatever path it writes', () => {
    const file = (path: string) => asked(`dockerfile=${encodeURIComponent(path)}`).dockerfile;
    expect(file('/etc/shadow')).toBe('etc/shadow');
    expect(file('../../etc/shadow')).toBe('etc/shadow');
    expect(file('./sub/Dockerfile')).toBe('sub/Dockerfile');
    expect(file('/')).toBe('Dockerfile');
    expect(() => file('a\0b')).toThrow('invalid dockerfile');
  });

  test('for what no build obeys is refused', () => {
    for (const [search, said] of [
      ['cgroupparent=x', 'a build cannot have cgroupparent here'],
      ['cpusetmems=0', 'a build cannot have cpusetmems here'],
      ['extrahosts=a%3Ahost-gateway', 'host-gateway'],
      ['extrahosts=a%20b%3A1.2.3.4', 'invalid extrahosts'],
      ['extrahosts=a%3Anone', 'invalid extrahosts'],
      ['memory=-5', 'invalid memory'],
      ['memory=x', 'strconv.Atoi'],
      ['ulimits=%7B%7D', 'invalid JSON'],
      ['networkmode=container%3Ax', 'RUN can have default, none or host'],
      ['remote=https%3A%2F%2Fexample.org%2Fx.git', 'remote contexts are not fetched'],
      ['version=2', 'DOCKER_BUILDKIT=0'],
      ['remote=client-session', 'DOCKER_BUILDKIT=0'],
      ['squash=1', 'squash is only supported with experimental mode'],
      [`t=x%40sha256%3A${ID}`, 'cannot contain a digest'],
      ['labels=%7B%22a%22%3A1%7D', 'invalid JSON'],
    ] as const) {
      expect(() => asked(search), search).toThrow(said);
    }
  });
});

describe('the stream of a build', () => {
  async function* events(...all: readonly BuildEvent[]): AsyncGenerator<BuildEvent> {
    yield* all;
  }
  async function textOf(lines: AsyncIterable<Readonly<Record<string, unknown>>>): Promise<string> {
    let text = '';
    for await (const line of lines) text += typeof line.stream === 'string' ? line.stream : `${JSON.stringify(line)}\n`;
    return text;
  }
  const step = (message: string, cached = false): BuildEvent => ({ type: 'step', resource: message, message, cached });
  const made = (resource: string, id: string | null): BuildEvent => ({ type: 'made', resource, id });
  const START: readonly BuildEvent[] = [
    { type: 'plan', steps: 3 },
    { type: 'from', resource: 'FROM scratch', message: 'FROM scratch' },
    made('FROM scratch', null),
    step('ENV A=b', true),
    made('ENV A=b', `b${ID}`),
    step('RUN x'),
    { type: 'running', resource: 'RUN x', id: `c${ID}` },
    { type: 'output', resource: 'RUN x', text: 'out\n' },
  ];
  const END: readonly BuildEvent[] = [made('RUN x', `d${ID}`), { type: 'built', id: ID, tags: ['x:latest'] }];

  test('numbers its steps, and ends with the id and the names', async () => {
    const lines = await textOf(buildLines(events(...START, ...END), true));
    expect(lines).toBe(
      'Step 1/3 : FROM scratch\n ---> \nStep 2/3 : ENV A=b\n ---> Using cache\n ---> baaaaaaaaaaa\n' +
        'Step 3/3 : RUN x\n ---> Running in caaaaaaaaaaa\nout\n ---> Removed intermediate container caaaaaaaaaaa\n' +
        ` ---> daaaaaaaaaaa\n{"aux":{"ID":"sha256:${ID}"}}\nSuccessfully built aaaaaaaaaaaa\nSuccessfully tagged x:latest\n`,
    );
    expect(await textOf(buildLines(events(...START, ...END), false))).not.toContain('aux');
  });

  test('that is quiet has the id alone, or all that led to its failure', async () => {
    expect(await textOf(quietLines(events(...START, ...END)))).toBe(`sha256:${ID}\n`);
    const failed: readonly BuildEvent[] = [
      { type: 'exited', resource: 'RUN x', command: ['/bin/sh', '-c', 'x'], code: 127 },
      { type: 'failed', error: { code: 'TSD_BUILD_RUN', class: 'invalid', message: 'RUN failed', hint: '' } },
    ];
    const lines = await textOf(quietLines(events(...START, ...failed)));
    expect(lines).toContain('out\n');
    const message = "The command '/bin/sh -c x' returned a non-zero code: 127";
    expect(lines.endsWith(`${JSON.stringify({ errorDetail: { code: 127, message }, error: message })}\n`)).toBe(true);
  });

  test('has triggers of the image below beyond its plan', async () => {
    const more = [step('COPY . /'), step('RUN y')];
    expect(await textOf(buildLines(events(...START, ...more), true))).toContain('Step 5/5 : RUN y');
  });
});

test('until is a moment or how long ago', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  expect(untilOf([], now)).toBeNull();
  expect(untilOf(['1h30m'], now)).toBe(now - 5_400_000);
  expect(untilOf(['24h'], now)).toBe(Date.parse('2026-01-01T00:00:00Z'));
  expect(untilOf(['1700000000'], now)).toBe(1_700_000_000_000);
  expect(untilOf(['2026-01-01'], now)).toBe(Date.parse('2026-01-01'));
  expect(() => untilOf(['soon'], now)).toThrow("invalid filter 'until=[soon]'");
  expect(() => untilOf(['1h', '2h'], now)).toThrow('more than one until filter specified');
});

test('a configuration goes before that of the image below, and an entrypoint leaves its command behind', () => {
  const below = { Cmd: ['sh'], Entrypoint: ['/e'], Env: ['A=1', 'B=2'], Labels: { a: '1', b: '2' }, User: 'me' };
  expect(mergedConfig({}, below)).toBe(below);
  expect(mergedConfig({ Env: ['B=3', 'C=4'], Labels: { b: '5' }, WorkingDir: '/w' }, below)).toEqual({
    Cmd: ['sh'],
    Entrypoint: ['/e'],
    Env: ['A=1', 'B=3', 'C=4'],
    Labels: { a: '1', b: '5' },
    User: 'me',
    WorkingDir: '/w',
  });
  expect(mergedConfig({ Entrypoint: ['/x'] }, below)).toEqual({
    Entrypoint: ['/x'],
    Env: ['A=1', 'B=2'],
    Labels: { a: '1', b: '2' },
    User: 'me',
  });
});
