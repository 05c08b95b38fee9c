/** Paths, versions, parameters and filters as Docker's clients send them. */
import { expect, test } from 'vitest';
import { parseBody } from '../../../src/docker/wire/body.ts';
import { Query } from '../../../src/docker/wire/query.ts';
import { route } from '../../../src/docker/wire/route.ts';
import { DockerRouter } from '../../../src/docker/wire/router.ts';
import { versionOf } from '../../../src/docker/wire/versions.ts';

const nothing = () => ({ type: 'empty', status: 204 }) as const;

test('a path names the version of its client, or speaks the newest', () => {
  expect(versionOf('/v1.24/info')).toEqual({ minor: 24, path: '/info' });
  expect(versionOf('/info')).toEqual({ minor: 51, path: '/info' });
  expect(versionOf('/v1.51/images/v1.2/json')).toEqual({ minor: 51, path: '/images/v1.2/json' });
  expect(() => versionOf('/v1.9/info')).toThrow(
    'client version 1.9 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  );
  expect(() => versionOf('/v2.0/info')).toThrow('client version 2.0 is too new. Maximum supported API version is 1.51');
});

test('names of images take several parts of a path, and are decoded once', () => {
  const router = new DockerRouter([
    route('GET', '/images/json', nothing),
    route('GET', '/images/{name+}/json', nothing),
    route('GET', '/images/{name+}/history', nothing),
    route('GET', '/distribution/{name+}/json', nothing, 30),
  ]);
  const find = (path: string, minor = 51) => router.find('GET', { path, minor });
  expect(find('/images/json').route.path).toBe('/images/json');
  expect(find('/images/a.example:5000/b/c:1.0/json').params).toEqual({ name: 'a.example:5000/b/c:1.0' });
  expect(find('/images/a%2Fb%253A/history').params).toEqual({ name: 'a/b%3A' });
  expect(() => find('/images/%zz/json')).toThrow('invalid URL escape');
  expect(() => find('/nothing')).toThrow('page not found');
  expect(() => router.find('POST', { path: '/images/json', minor: 51 })).toThrow('page not found');
  expect(() => find('/distribution/a/json', 29)).toThrow('GET /distribution/a/json requires minimum API version 1.30');
});

test('truth values, numbers and filters in both forms', () => {
  const query = new Query('a=1&b=0&c=no&d=False&e=none&f=&g=yes&n=5&m=x');
  const flags = [...'abcdefg'].map((name) => query.flag(name));
  expect(flags).toEqual([true, false, false, false, false, false, true]);
  expect([query.flag('z'), query.flag('z', true), query.number('n'), query.number('z')]).toEqual([
    false,
    true,
    5,
    null,
  ]);
  expect(() => query.number('m')).toThrow('invalid syntax');
  const filters = (text: string) => new Query(`filters=${encodeURIComponent(text)}`).filters(['label', 'dangling']);
  expect(filters('{"label":{"a=b":true,"c":false}}').of('label')).toEqual(['a=b']);
  expect(filters('{"label":["a=b"]}').labels({ a: 'b' })).toBe(true);
  expect(filters('{"label":["a","x"]}').labels({ a: 'b' })).toBe(false);
  expect(filters('{"dangling":["true"]}').flag('dangling')).toBe(true);
  expect(() => filters('{"dangling":["maybe"]}').flag('dangling')).toThrow("invalid filter 'dangling=[maybe]'");
  expect(() => filters('{"other":["a"]}')).toThrow("invalid filter 'other'");
  for (const wrong of ['[]', '1', 'x', '{"label":1}']) expect(() => filters(wrong)).toThrow('invalid filter');
});

test('a body is JSON, and says so', () => {
  expect(parseBody(Buffer.alloc(0), undefined)).toBeUndefined();
  expect(parseBody(Buffer.from('{"a":1}'), 'application/json; charset=utf-8')).toEqual({ a: 1 });
  expect(() => parseBody(Buffer.from('{}'), 'text/plain')).toThrow("must be 'application/json'");
  expect(() => parseBody(Buffer.from('{'), 'application/json')).toThrow('invalid JSON');
});
