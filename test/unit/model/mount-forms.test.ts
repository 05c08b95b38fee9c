import { describe, expect, test } from 'vitest';
import { parseManifest } from '../../../src/manifest/parse.ts';
import { specHash } from '../../../src/manifest/spec-hash.ts';
import { containerSchema } from '../../../src/model/kinds/container.ts';
import { diffSpecs } from '../../../src/reconcile/plan/diff.ts';

const specWith = (mount: unknown) => containerSchema.parse({ image: 'x', volumes: [mount] });
const bind = (create: unknown) => ({ source: '/srv/data', target: '/data', create });
const made = (create: unknown) => specWith(bind(create)).volumes[0]?.create;

describe('the directory that a bind asks for', () => {
  test('true means a directory as mkdir creates it for root', () => {
    expect(made(true)).toEqual({ uid: 0, gid: 0, mode: 0o755 });
  });

  test.each([
    [{ owner: '1000:1001' }, { uid: 1000, gid: 1001, mode: 0o755 }],
    [{ owner: '70' }, { uid: 70, gid: 70, mode: 0o755 }],
    [{ owner: 70 }, { uid: 70, gid: 70, mode: 0o755 }],
    [{ mode: '0750' }, { uid: 0, gid: 0, mode: 0o750 }],
    [{ mode: '0o700' }, { uid: 0, gid: 0, mode: 0o700 }],
    [
      { owner: '1:2', mode: '2775' },
      { uid: 1, gid: 2, mode: 0o2775 },
    ],
  ])('%j', (written, expected) => {
    expect(made(written)).toEqual(expected);
  });

  test('a mode needs no quotes in YAML', () => {
    const text =
      'containers: { a: { image: x, volumes: [ { source: /d, target: /d, create: { owner: 70, mode: 0750 } } ] } }';
    const { app, issues } = parseManifest({ file: 'a.yaml', text, appDefault: 'a' });
    expect(issues).toEqual([]);
    expect(app?.resources[0]?.spec).toMatchObject({ volumes: [{ create: { uid: 70, gid: 70, mode: 0o750 } }] });
  });

  test.each([
    [bind({ owner: 'postgres' }), '"postgres" is not an owner; write the numbers uid:gid, for example 1000:1000'],
    [bind({ owner: '1:' }), '"1:" is not an owner; write the numbers uid:gid, for example 1000:1000'],
    [bind({ owner: '4294967295' }), '"4294967295" is not an owner; write the numbers uid:gid, for example 1000:1000'],
    [bind({ mode: 'u=rwx' }), '"u=rwx" is not a mode; write octal permission bits, for example "0750"'],
    [bind({ mode: '0890' }), '"0890" is not a mode; write octal permission bits, for example "0750"'],
    [{ source: 'data', target: '/data', create: true }, 'only the directory of a bind can be created'],
    [{ type: 'tmpfs', target: '/data', create: true }, 'only the directory of a bind can be created'],
  ])('%j is refused', (mount, message) => {
    const { error } = containerSchema.safeParse({ image: 'x', volumes: [mount] });
    expect(JSON.stringify(error?.issues)).toContain(JSON.stringify(message).slice(1, -1));
  });

  test('absent or false changes no hash, and a request for it changes no running container', () => {
    const short = specWith('/srv/data:/data');
    expect(specHash('container', specWith(bind(false)))).toBe(specHash('container', short));
    expect(diffSpecs('container', short, specWith(bind({ owner: '1:1' })))).toEqual([]);
  });
});

describe('an inline text of a mount', () => {
  test('is a read-only file', () => {
    expect(specWith({ target: '/etc/x', content: 'a\n' }).volumes).toEqual([
      { type: 'content', source: null, target: '/etc/x', readOnly: true, sizeBytes: null, content: 'a\n' },
    ]);
  });

  test.each(['source', 'type', 'size', 'onChange', 'watch', 'secret', 'create'])('goes without %s', (member) => {
    const value = { source: './x', type: 'tmpfs', size: '1m', onChange: 'ignore' }[member] ?? true;
    const mount = { target: '/x', content: '', [member]: value };
    const { error } = containerSchema.safeParse({ image: 'x', volumes: [mount] });
    expect(JSON.stringify(error?.issues)).toContain(`content is the whole file; ${member} has no meaning with it`);
  });

  test('is hashed: another text is another container', () => {
    const [one, other] = ['1', '2'].map((content) => specWith({ target: '/x', content }));
    expect(diffSpecs('container', one, other)).toMatchObject([{ path: 'volumes', change: 'recreate' }]);
  });
});

describe('a mount that is a secret', () => {
  const plain = { source: './key', target: '/etc/key', readOnly: true };

  test('is a file bound read-only', () => {
    expect(specWith({ ...plain, secret: true }).volumes).toMatchObject([{ type: 'bind', secret: true }]);
    for (const mount of [
      { ...plain, readOnly: false },
      { ...plain, source: 'data' },
    ]) {
      const { error } = containerSchema.safeParse({ image: 'x', volumes: [{ ...mount, secret: true }] });
      expect(JSON.stringify(error?.issues)).toContain('only a file bound with readOnly is a secret');
    }
  });

  test('is mounted like any file, and the mark changes no running container', () => {
    expect(diffSpecs('container', specWith(plain), specWith({ ...plain, secret: true }))).toEqual([]);
    expect(specHash('container', specWith(plain))).toBe(specHash('container', specWith({ ...plain, secret: false })));
  });
});
