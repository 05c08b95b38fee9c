import { describe, expect, test } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import type { DatedDeclaration, Declaration, Made } from '../../../src/state/databases/declaration.ts';
import { type Findings, judge, type RecordedContainer } from '../../../src/supervisor/declarations/verdict.ts';

const WEB: ResourceKey = 'container/shop/web';

function declared(app: string, text = 'one', pin: Declaration['pin'] = null): Declaration {
  const source = {
    kind: 'applied',
    origin: `/${app}.yaml`,
    baseDir: '/',
    text,
    contentHashes: {},
    contents: null,
  } as const;
  return { app, sources: [{ ...source, pinned: true }], pin, specs: { [`container/${app}/web`]: text } };
}

const copy = (declaration: Declaration, generation: number): DatedDeclaration => {
  return { declaration, generation, sha256: 'ab'.repeat(32) };
};

const container = (changes: Partial<RecordedContainer> = {}): RecordedContainer => {
  return { key: WEB, specHash: 'one', generation: 1, imageId: '', image: 'busybox', bridge: null, ...changes };
};

const MADE: Made = {
  networks: [],
  images: [{ key: 'image/shop/busybox', specHash: '', imageId: 'i1', sourceFingerprint: '', bases: null }],
};

function findings(changes: Partial<Findings>): Findings {
  return {
    store: null,
    loss: 'is missing',
    copies: new Map(),
    unread: new Set(),
    highest: null,
    made: () => null,
    containers: [],
    volumes: new Set(),
    held: new Set(),
    ...changes,
  };
}

const byApp = (...copies: DatedDeclaration[]) => new Map(copies.map((one) => [one.declaration.app, one]));
const storeOf = (generation: number, ...apps: Declaration[]) => {
  return { generation, apps: new Map(apps.map((one) => [one.app, one])) };
};

/** Each app that is kept, and each that is held with what it may be. */
function outcome(given: Partial<Findings>): unknown {
  const verdict = judge(findings(given));
  if (verdict.verdict === 'store') return 'store';
  const holds = verdict.holds.map(({ app, candidates, strict }) => {
    const each = candidates.map(({ name, declaration }) => `${name} ${declaration?.sources[0]?.text ?? 'nothing'}`);
    return `${app}${strict ? '!' : ''}: ${each.join(' or ')}`;
  });
  return { [verdict.verdict]: verdict.generation, kept: verdict.kept.map(({ app }) => app), holds };
}

describe('a readable store', () => {
  test('wins over older, equal and missing copies', () => {
    const store = storeOf(5, declared('shop', 'two'), declared('blog'));
    expect(outcome({ store })).toBe('store');
    expect(outcome({ store, copies: byApp(copy(declared('shop', 'one'), 4)), highest: 4 })).toBe('store');
    expect(outcome({ store, copies: byApp(copy(declared('shop', 'one'), 5)), highest: 5 })).toBe('store');
  });

  test('holds an app whose copy is newer, and keeps the others', () => {
    const store = storeOf(5, declared('shop', 'one'), declared('blog'));
    const copies = byApp(copy(declared('shop', 'two'), 7), copy(declared('blog'), 3));
    expect(outcome({ store, copies, highest: 7 })).toEqual({
      older: 8,
      kept: ['blog'],
      holds: ['shop: store one or copy two'],
    });
  });

  test('holds an app that was removed or added since', () => {
    const store = storeOf(5, declared('gone'), declared('blog'));
    const copies = byApp(copy(declared('blog'), 3), copy(declared('added'), 6));
    expect(outcome({ store, copies, highest: 7 })).toEqual({
      older: 8,
      kept: ['blog'],
      holds: ['gone: store one or copy nothing', 'added: store nothing or copy one'],
    });
  });

  test('holds an app with an object newer than its declaration', () => {
    const store = storeOf(5, declared('shop'));
    const found = { store, copies: byApp(copy(declared('shop'), 3)), highest: 7, made: () => MADE };
    expect(outcome({ ...found, containers: [container({ imageId: 'i1' })] })).toMatchObject({ kept: ['shop'] });
    expect(outcome({ ...found, containers: [container({ imageId: 'i2' })] })).toMatchObject({
      holds: ['shop!: store one or none nothing'],
    });
  });

  test('keeps held apps held', () => {
    const copies = byApp(copy(declared('shop', 'two'), 7));
    const found = { store: storeOf(5, declared('blog')), copies, highest: 7, held: new Set(['shop']) };
    expect(outcome(found)).toMatchObject({ holds: ['blog: store one or copy nothing'] });
  });
});

describe('a lost store', () => {
  const lost = { copies: byApp(copy(declared('shop'), 3)), highest: 3, made: () => MADE };

  test('is rebuilt from copies that agree with the containers', () => {
    expect(outcome({ ...lost, containers: [container({ imageId: 'i1' })] })).toEqual({
      rebuilt: 4,
      kept: ['shop'],
      holds: [],
    });
    // One that waits for its change to be made is of an earlier declaration.
    expect(outcome({ ...lost, containers: [container({ specHash: 'zero', imageId: 'i0' })] })).toMatchObject({
      kept: ['shop'],
    });
  });

  test.each<[string, Partial<RecordedContainer>]>([
    ['was made from a later declaration', { specHash: 'two', generation: 9 }],
    ['has another image', { imageId: 'i2' }],
    ['is on a network that nothing remembers', { imageId: 'i1', bridge: 'b1' }],
    ['was in the middle of an update', { key: 'container/shop/web.next', imageId: 'i1' }],
  ])('holds an app with a container that %s', (_, changes) => {
    expect(outcome({ ...lost, containers: [container(changes)] })).toMatchObject({
      kept: [],
      holds: ['shop!: copy one or none nothing'],
    });
  });

  test('holds an app without a readable copy', () => {
    const found = { ...lost, containers: [container({ key: 'container/blog/web' })], volumes: new Set(['data']) };
    expect(outcome({ ...found, unread: new Set(['torn']) })).toEqual({
      rebuilt: 4,
      kept: ['shop'],
      holds: ['blog!: none nothing', 'data!: none nothing', 'torn!: none nothing'],
    });
  });

  test('gets a generation after every known one', () => {
    expect(outcome({ ...lost, containers: [container({ key: 'container/blog/web', generation: 40 })] })).toMatchObject({
      rebuilt: 41,
    });
  });
});
