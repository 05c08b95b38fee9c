import { expect, test } from 'vitest';
import type { ObservedImage } from '../../../src/model/observed.ts';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';
import { PureHost } from '../../support/pure-host.ts';

const app = (base: string, site = './site') => ({
  blog: { images: { site, base }, bases: { site: ['base'] }, containers: { web: { image: 'site' } } },
});

function imageOn(host: PureHost, name: 'site' | 'base'): ObservedImage {
  const image = host.images.get(`image/blog/${name}`);
  if (image === undefined) throw new Error(`${name} was not loaded`);
  return image;
}

test('an image is built after its bases, in any order of declaration', () => {
  expect(textOn(new PureHost(), declare(app('./base')))).toMatchInlineSnapshot(`
    "load image/blog/base — declared in blog.yaml:2:3
    load image/blog/site — declared in blog.yaml:1:3 (after load image/blog/base)
    create container/blog/web — declared in blog.yaml:3:3 (after load image/blog/site)
    connect container/blog/web — declared in blog.yaml:3:3
    start container/blog/web — declared in blog.yaml:3:3"
  `);
});

test('a changed base rebuilds its dependents and then recreates their containers', () => {
  const host = hostWith(app('./base'));
  expect(textOn(host, declare(app('./base')))).toBe('nothing to do');
  const next = declare(app('./other'), 2);
  const first = planOn(host, next);
  expect(first.ops.map(({ id }) => id)).toEqual(['load image/blog/base']);
  host.applyAll(first.ops, next);
  expect(textOn(host, next)).toMatchInlineSnapshot(
    `"load image/blog/site — image/blog/base, which it is built from, is another image now; what is made from it follows, if its content is another"`,
  );
  host.applyAll(planOn(host, next).ops, next);
  expect(host.images.get('image/blog/site')?.bases).toEqual({
    'image/blog/base': host.images.get('image/blog/base')?.imageId,
  });
  expect(planOn(host, next).ops.map(({ id }) => id)).toContain('start container/blog/web');
});

test('an unchanged or unknown base changes nothing', () => {
  const host = hostWith(app('./base'));
  const site = imageOn(host, 'site');
  host.images.set('image/blog/site', { ...site, bases: null });
  host.images.set('image/blog/base', { ...imageOn(host, 'base'), imageId: 'another' });
  expect(textOn(host, declare(app('./base')))).toBe('nothing to do');
});

test('a base that cannot be built delays missing builds, and existing images are used', () => {
  const host = hostWith(app('./base'));
  const failed = declare(app('./other', './edited'), 2);
  host.failures.set('image/blog/base', {
    class: 'invalid',
    message: 'no such file',
    specHash: failed.resources.get('image/blog/base')?.specHash ?? '',
    attempts: 1,
    retryAtBootMs: null,
  });
  const { ops, holds } = planOn(host, failed);
  expect(ops).toEqual([]);
  expect(holds.map(({ key, reason, message }) => `${key} ${reason}: ${message}`)).toMatchInlineSnapshot(`
    [
      "image/blog/base failed: no such file",
      "image/blog/site dependency-not-ready: waits for image/blog/base: no such file",
    ]
  `);
});
