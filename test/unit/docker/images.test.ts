/** Names, platforms, logins and removals of images as Docker's clients mean them. */
import { describe, expect, test } from 'vitest';
import { platformOf } from '../../../src/docker/images/platform.ts';
import { amountLine } from '../../../src/docker/images/progress-line.ts';
import { findImage, noSuchImage, referenceOf } from '../../../src/docker/images/references.ts';
import { readAuthHeader } from '../../../src/docker/images/registry-auth.ts';
import { checkRemoval } from '../../../src/docker/images/removal.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';

const A = 'a'.repeat(64);
const B = `b${'0'.repeat(63)}`;

const NAMES: Readonly<Record<string, string>> = {
  'busybox:latest': A,
  'b0:latest': A,
  'r.example:5000/a/b:1': B,
};

const known = {
  digests: { get: (name: string) => (name === `busybox@sha256:${A}` ? B : null) },
  images: {
    get: (id: string) => ([A, B].includes(id) ? ({ id } as never) : undefined),
    lookup: (prefix: string) => {
      const found = [A, B].filter((id) => id.startsWith(prefix));
      if (found.length !== 1) throw new TsdError('TSD_NO_SUCH_RESOURCE', `no such id: ${prefix}`);
      return { id: found[0] } as never;
    },
  },
  repositories: {
    get: ({ repository, tag }: { repository: string; tag: string }) => NAMES[`${repository}:${tag}`] ?? null,
    namesOf: () => [],
  },
};

test('an image is found by every form of its name, by its id and by the beginning of that', () => {
  const found = { id: A, name: 'busybox:latest' };
  for (const text of [
    'busybox',
    'busybox:latest',
    'docker.io/library/busybox',
    'library/busybox',
    'index.docker.io/library/busybox:latest',
  ])
    expect(findImage(known, text)).toEqual(found);
  expect(findImage(known, 'r.example:5000/a/b:1')).toEqual({ id: B, name: 'r.example:5000/a/b:1' });
  for (const text of [B, `sha256:${B}`, 'sha256:b', 'b000'])
    expect(findImage(known, text)).toEqual({ id: B, name: null });
  for (const text of [`busybox@sha256:${A}`, `docker.io/library/busybox:1@sha256:${A}`])
    expect(findImage(known, text)).toEqual({ id: B, name: null });
  // A name comes before the beginning of an id.
  expect(findImage(known, 'b0')).toEqual({ id: A, name: 'b0:latest' });
  for (const [text, said] of [
    ['none', 'none:latest'],
    ['none:1', 'none:1'],
    ['docker.io/library/none', 'none:latest'],
    [`sha256:${'c'.repeat(64)}`, `sha256:${'c'.repeat(64)}`],
    ['cc', 'cc:latest'],
    [`busybox@sha256:${B}`, `busybox@sha256:${B}`],
  ] as const) {
    expect(() => findImage(known, text)).toThrow(`No such image: ${said}`);
  }
  expect(noSuchImage('x').status).toBe(404);
  expect(() => findImage(known, '../x')).toThrow('invalid reference format');
  expect(() => referenceOf('r.example/Team/app:1')).toThrow(
    'invalid reference format: repository name (r.example/Team/app) must be lowercase',
  );
});

test('platforms have a system and an architecture, under each of their names', () => {
  expect(platformOf('')).toBeNull();
  expect(platformOf('linux/arm/v7')).toBe('linux/arm/v7');
  expect(platformOf('aarch64')).toBe('linux/arm64');
  expect(platformOf('Linux/x86_64')).toBe('linux/amd64');
  expect(platformOf('linux')).toMatch(/^linux\/\w+$/);
  for (const text of ['foobar', 'a/b/c/d', 'linux/', 'li nux/x'])
    expect(() => platformOf(text)).toThrow(/invalid argument/);
});

describe('a login in a header', () => {
  const header = (value: unknown, encoding: 'base64' | 'base64url' = 'base64url') =>
    Buffer.from(JSON.stringify(value)).toString(encoding);

  test('is read in both alphabets, as a pair or as an identity token', () => {
    const password = '\u00ff\u00fe?>~';
    const pair = { type: 'password', username: 'me', password };
    for (const encoding of ['base64', 'base64url'] as const)
      expect(readAuthHeader(header({ username: 'me', password }, encoding))).toEqual(pair);
    expect(readAuthHeader(header({ auth: Buffer.from('me:a:b').toString('base64') }))).toEqual({
      type: 'password',
      username: 'me',
      password: 'a:b',
    });
    expect(readAuthHeader(header({ identitytoken: 't' }))).toEqual({ type: 'identity-token', token: 't' });
  });

  test('is none where nothing can be read, and a kind that is not taken is said', () => {
    for (const text of [
      undefined,
      '',
      '%%%',
      'bnVsbA',
      header({ username: 1 }),
      header([]),
      header({ serveraddress: 'x' }),
    ])
      expect(readAuthHeader(text)).toBeNull();
    expect(() => readAuthHeader(header({ registrytoken: 't' }))).toThrow(/registrytoken is not taken/);
  });
});

describe('a removal', () => {
  const [container, other] = ['c'.repeat(64), 'd'.repeat(64)];
  const names = ['web:1'];
  const byName = { text: 'web:1', name: 'web:1', force: false };
  const byId = { text: 'aaaa', name: null, force: false };
  const use = (...containers: readonly { id: string; running: boolean }[]) => ({ id: A, names, containers });
  const running = { id: container, running: true };
  const stopped = { id: other, running: false };

  test('by name is refused for the last name of an image in use, unless forced', () => {
    const said =
      'conflict: unable to remove repository reference "web:1" (must force) - container cccccccccccc is using its referenced image aaaaaaaaaaaa';
    expect(() => checkRemoval(use(stopped, running), byName)).toThrow(said);
    checkRemoval(use(running), { ...byName, force: true });
    checkRemoval({ ...use(running), names: ['web:1', 'web:2'] }, byName);
    checkRemoval(use(), byName);
  });

  test('by id is refused for each reason in its words', () => {
    const conflict = 'conflict: unable to delete aaaaaaaaaaaa';
    expect(() => checkRemoval(use(running), { ...byId, force: true })).toThrow(
      `${conflict} (cannot be forced) - image is being used by running container cccccccccccc`,
    );
    expect(() => checkRemoval(use(stopped), byId)).toThrow(
      `${conflict} (must be forced) - image is being used by stopped container dddddddddddd`,
    );
    const several = { ...use(), names: ['web:1', 'other:1'] };
    expect(() => checkRemoval(several, byId)).toThrow(
      `${conflict} (must be forced) - image is referenced in multiple repositories`,
    );
    checkRemoval(several, { ...byId, force: true });
    checkRemoval({ ...use(), names: ['web:1', 'web:2'] }, byId);
    checkRemoval(use(stopped), { ...byId, force: true });
  });
});

test('amounts have the bar that docker prints', () => {
  expect(amountLine('Pushing', 'abc', 500, 1000)).toEqual({
    status: 'Pushing',
    progressDetail: { current: 500, total: 1000 },
    progress: `[${'='.repeat(25)}>${' '.repeat(24)}]    500B/1kB`,
    id: 'abc',
  });
  expect(amountLine('Pushing', 'abc', 1_234_567, null)).toEqual({
    status: 'Pushing',
    progressDetail: { current: 1_234_567 },
    progress: '1.235MB',
    id: 'abc',
  });
});
