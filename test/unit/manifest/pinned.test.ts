/** Files that are pinned to what they held when their manifest was applied. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../../src/composition/network-drivers.ts';
import type { ReadResult } from '../../../src/manifest/content.ts';
import { desiredState, type SourceRevision } from '../../../src/manifest/desired-state.ts';
import type { PinnedContents } from '../../../src/manifest/resolve/universe.ts';

const files: Record<string, string> = {};
const owner = { mode: 0o640, uid: 1, gid: 2 };
const readFile = (path: string): ReadResult => {
  const content = files[path];
  if (content === undefined) return { ok: false, reason: 'missing', message: `${path}: no such file` };
  return { ok: true, bytes: Buffer.from(content), owner };
};
const options = {
  readFile,
  hashSecret: (bytes: Buffer) => `keyed-${bytes.toString()}`,
  generation: 1,
  defaultHostIp: '0.0.0.0',
  networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
};

const WEB = 'container/app/web';

function resolved(text: string, pinned?: PinnedContents) {
  const source: SourceRevision = {
    sourceId: 'applied /m/app.yaml',
    file: '/m/app.yaml',
    baseDir: '/m',
    content: { ok: true, text },
    lastGood: null,
    pinned,
  };
  const { state, sources, copies } = desiredState([source], options);
  const outcome = sources.get(source.sourceId);
  if (!outcome) throw new Error('there is no outcome');
  expect(outcome.issues).toEqual([]);
  return { web: state.resources.get(WEB), outcome, copies };
}

const manifest = (top = '', container = '', mount = '') => `${top}images: { b: { archive: /b.tar } }
containers:
  web:
    image: b
    ${container}
    volumes: [{ source: ./conf, target: /conf, readOnly: true${mount} }, { source: ./pw, target: /run/secrets/pw, readOnly: true }, ./data:/data]
    envFile: [./env]
    env: { P: { fromFile: ./secret } }
`;

function before() {
  Object.assign(files, { '/m/conf': 'one', '/m/env': 'A=1', '/m/secret': 's1', '/m/pw': 'p1' });
}

function edited() {
  Object.assign(files, { '/m/conf': 'two', '/m/env': 'A=2', '/m/secret': 's2', '/m/pw': 'p2' });
}

const sha = (text: string) => createHash('sha256').update(text).digest('hex');

test('a regular file bound read-only and an env file have copies, secrets and live files have none', () => {
  before();
  const { web, outcome, copies } = resolved(manifest());
  expect(web?.files).toEqual({ '/m/conf': `${sha('one')}-0640-1-2`, '/m/env': `${sha('A=1')}-0640-1-2` });
  expect([...copies.values()].map(String).sort()).toEqual(['A=1', 'one']);
  expect(web?.live).toEqual([
    { path: './pw', reason: 'a secret' },
    { path: './data', reason: '/data may be written to' },
  ]);
  expect(outcome.contents.resources[WEB]?.secrets?.slice().sort()).toEqual(['./pw', './secret']);
});

test('an edit of a pinned file only shows in a message', () => {
  before();
  const first = resolved(manifest());
  edited();
  const pinned = { contents: first.outcome.contents, held: false };
  const { web, outcome, copies } = resolved(manifest(), pinned);
  expect(web?.specHash).toBe(first.web?.specHash);
  expect(web?.files).toEqual(first.web?.files);
  expect(outcome.contents).toEqual(first.outcome.contents);
  expect(outcome.changed).toEqual(['./conf', './env', './pw', './secret']);
  expect(copies.size).toBe(0);
  delete files['/m/env'];
  expect(resolved(manifest(), pinned).web?.specHash).toBe(first.web?.specHash);
});

test.each([
  ['follow: true', manifest('follow: true\n'), ['./conf', './env', './pw', './secret']],
  ['onChange of the container', manifest('', 'onChange: restart'), ['./conf', './env', './pw', './secret']],
  ['onChange of a mount', manifest('', '', ', onChange: recreate'), ['./conf']],
])('%s makes changes of its files count', (_name, text, followed) => {
  before();
  const pinned = { contents: resolved(text).outcome.contents, held: false };
  edited();
  const { web, outcome } = resolved(text, pinned);
  expect(outcome.followed[WEB]?.slice().sort()).toEqual(followed);
  expect(web?.contentHashes['./conf']).toBe(sha('two'));
  expect(outcome.changed).toEqual(['./conf', './env', './pw', './secret'].filter((path) => !followed.includes(path)));
});

test('files of a held app keep their copies, and its secrets are current', () => {
  before();
  const text = manifest('follow: true\n');
  const { contents } = resolved(text).outcome;
  edited();
  const { web, outcome } = resolved(text, { contents, held: true });
  expect(web?.contentHashes).toEqual({
    './conf': sha('one'),
    './env': 'keyed-A=1',
    './secret': 'keyed-s2',
    './pw': 'keyed-p2',
  });
  expect(outcome.changed).toEqual(['./conf', './env']);
});

test('files missing at apply are pinned when they appear', () => {
  before();
  delete files['/m/conf'];
  const { contents } = resolved(manifest()).outcome;
  before();
  const { web } = resolved(manifest(), { contents, held: false });
  expect(web?.files?.['/m/conf']).toBe(`${sha('one')}-0640-1-2`);
});

test('a mounted secret has a keyed hash; a plain one of an earlier version stays until the secret changes', () => {
  before();
  const text = manifest();
  const hashAfter = (earlier: string): unknown => {
    const source: SourceRevision = {
      sourceId: 'watched /m/app.yaml',
      file: '/m/app.yaml',
      baseDir: '/m',
      content: { ok: true, text },
      lastGood: { text, contentHashes: { './pw': earlier } },
    };
    return desiredState([source], options).state.resources.get(WEB)?.contentHashes['./pw'];
  };
  expect(resolved(text).web?.contentHashes['./pw']).toBe('keyed-p1');
  expect(hashAfter(sha('p1'))).toBe(sha('p1'));
  expect(hashAfter(sha('p0'))).toBe('keyed-p1');
  expect(hashAfter('keyed-p1')).toBe('keyed-p1');
});

test('`follow` is true or false, once', () => {
  const source = (text: string): SourceRevision => ({
    sourceId: 'a',
    file: 'app.yaml',
    baseDir: '/m',
    content: { ok: true, text },
    lastGood: null,
  });
  const issues = (text: string) =>
    desiredState([source(text)], options)
      .sources.get('a')
      ?.issues.map(({ message, position }) => `${position.line}: ${message}`);
  expect(issues('follow: maybe\nvolumes: { a: {} }\n')).toEqual(['1: follow: expected true or false']);
  expect(issues('follow: true\nvolumes: { a: {} }\n---\nfollow: false\n')).toEqual([
    '4: follow is true on line 1; a file is one app',
  ]);
});
