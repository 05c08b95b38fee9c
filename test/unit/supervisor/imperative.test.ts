import { describe, expect, it } from 'vitest';
import type { Desired, DesiredState } from '../../../src/model/desired.ts';
import type { ImperativeRequest } from '../../../src/model/imperative/request.ts';
import { clientName } from '../../../src/model/imperative/request.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { baseKey, isNext, nextKey, oldKey } from '../../../src/model/update.ts';
import { decodeContainer, encodeContainer } from '../../../src/state/containers/container-codec.ts';
import type { ContainerRecord } from '../../../src/state/containers/container-record.ts';
import { HOST_CONFIG } from '../../../src/state/containers/run-config.ts';
import { writtenSpec } from '../../../src/state/containers/written-spec.ts';
import { ImperativeResources } from '../../../src/supervisor/imperative/imperative-resources.ts';
import { randomName } from '../../../src/supervisor/imperative/random-names.ts';
import { declaredBy, restoredDeclarations } from '../../../src/supervisor/imperative/restored.ts';
import { withAnonymousVolumes } from '../../../src/supervisor/imperative/volumes.ts';
import { containerRecord } from '../../support/container-record.ts';
import { declare } from '../../support/declare.ts';
import { textOn } from '../../support/planning.ts';
import { PureHost } from '../../support/pure-host.ts';

const REQUEST: ImperativeRequest = {
  body: { Image: 'app', HostConfig: { Binds: [] } },
  client: 'Docker-Client/26.1.5 (linux)',
  uid: 0,
  autoRemove: false,
  at: '2026-01-02T03:04:05Z',
};

const MANIFESTS = declare({ blog: { containers: { web: {} } } });

/** What a client made, as the record of it declares it. */
function made(name: string, written: Readonly<Record<string, unknown>> = {}): Desired<'container'> {
  const declared = declare({ '@docker': { containers: { [name]: written } } });
  const { spec, specHash, contentHashes } = [...declared.resources.values()].find(
    ({ kind }) => kind === 'container',
  ) as Desired<'container'>;
  const key: ResourceKey = `container/@docker/${name}`;
  const owner = { key, written: writtenSpec(spec), schemaVersion: 1, specHash, contentHashes, generation: 3 };
  const desired = declaredBy(containerRecord({ engineName: name, owner: { ...owner, request: REQUEST } }));
  if (desired === null) throw new Error('the record declares nothing');
  return desired;
}

const withMade = (...all: readonly Desired[]): DesiredState => new ImperativeResources(all, () => {}).with(MANIFESTS);

describe('what clients made', () => {
  it('is wanted beside the manifests, and the same object while neither changes', () => {
    const announced: ResourceKey[] = [];
    const resources = new ImperativeResources([], (keys) => announced.push(...keys));
    expect(resources.with(MANIFESTS)).toBe(MANIFESTS);
    resources.change([made('web')]);
    const both = resources.with(MANIFESTS);
    expect([...both.resources.keys()].filter((key) => key.startsWith('container/'))).toEqual([
      'container/blog/web',
      'container/@docker/web',
    ]);
    expect(both.generation).toBe(MANIFESTS.generation);
    expect(resources.with(MANIFESTS)).toBe(both);
    resources.change([], ['container/@docker/web']);
    expect(resources.with(MANIFESTS)).toBe(MANIFESTS);
    expect(announced).toEqual(['container/@docker/web', 'container/@docker/web']);
  });

  it('is declared by its record after a start, and by nothing that a manifest made', () => {
    const history = { resources: { networks: () => [] } };
    const containers = { all: () => [containerRecord(), containerRecord({ owner: null })] };
    expect(restoredDeclarations({ containers, volumes: { all: () => [] }, history })).toEqual([]);
    const desired = made('web', { command: ['sleep', '1'] });
    expect(desired).toMatchObject({ app: '@docker', name: 'web', engineName: 'web', request: REQUEST });
    expect(desired.references.networks).toEqual(['network//bridge']);
  });

  it('is only made by the loop: its client starts it', () => {
    const text = textOn(new PureHost(), withMade(made('web')), { scope: new Set(['container/@docker/web']) });
    expect(text.trim()).toBe('create container/@docker/web — asked for by Docker-Client/26.1.5 (linux)');
  });

  it('keeps what was asked for in its record', () => {
    const old = containerRecord();
    const record: ContainerRecord = { ...old, owner: old.owner && { ...old.owner, request: REQUEST } };
    expect(decodeContainer(encodeContainer(record), HOST_CONFIG.zero()).owner?.request).toEqual(REQUEST);
    expect(encodeContainer(old).Tsdocker?.Owner?.Request).toBeNull();
    expect(decodeContainer(encodeContainer(old), HOST_CONFIG.zero()).owner).toEqual(old.owner);
  });
});

describe('names that Docker allows', () => {
  it('are never taken for a successor or predecessor of another container', () => {
    for (const name of ['web.old', 'web.next', 'web.former']) {
      const key: ResourceKey = `container/@docker/${name}`;
      expect(baseKey(key)).toBe(key);
      expect(isNext(key)).toBe(false);
    }
    const key: ResourceKey = 'container/@docker/web';
    expect(baseKey(nextKey(key))).toBe(key);
    expect(baseKey(oldKey(key))).toBe(key);
    expect(nextKey('container/blog/web')).toBe('container/blog/web.next');
    expect(isNext(nextKey(key))).toBe(true);
    const host = new PureHost();
    const state = withMade(made('web'), made('web.old'));
    expect(textOn(host, state)).toContain('create container/@docker/web.old —');
  });

  it('are chosen where a client gives none', () => {
    expect(randomName(0)).toMatch(/^[a-z]+_[a-z]+$/);
    expect(randomName(5)).toMatch(/^[a-z]+_[a-z]+\d+$/);
  });
});

it('gives each mount without a source, and each volume of the image, a volume of its own', () => {
  const { spec } = made('db', { volumes: ['/a', 'data:/b', '/srv/c:/c'] });
  const { spec: named, made: volumes } = withAnonymousVolumes(spec, ['/a', '/b', '/d'], REQUEST);
  const sourceOf = (target: string) => named.volumes.find((mount) => mount.target === target)?.source;
  expect(volumes.map(({ name }) => name)).toEqual([sourceOf('/a'), sourceOf('/d')]);
  expect(volumes[0]?.name).toMatch(/^[0-9a-f]{64}$/);
  expect(volumes.every(({ request }) => request?.autoRemove)).toBe(true);
  expect([sourceOf('/b'), sourceOf('/c')]).toEqual(['data', '/srv/c']);
});

it('shows no terminal codes of a client that calls itself by them', () => {
  expect(clientName('evil\u001b[2J\u202eclient')).toBe('evil [2J client');
  expect(clientName('\n')).toBe('a client of the Docker API');
});
