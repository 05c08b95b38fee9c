import { expect, test } from 'vitest';
import { resolveName, resolvePast } from '../../../src/supervisor/views/names.ts';

const candidates = [
  { key: 'image/blog/bb' },
  { key: 'volume/shop/bb' },
  { key: 'container/blog/web', engineName: 'blog-web', id: 'a1b2c3' },
] as const;

test('a name of another kind is suggested', () => {
  expect(resolveName('container', 'web', candidates)).toBe('container/blog/web');
  expect(() => resolveName('container', 'bb', candidates)).toThrow(
    expect.objectContaining({
      message: 'there is no container bb',
      hint: 'There is image/blog/bb, volume/shop/bb: name it so.',
    }),
  );
  expect(() => resolveName('volume', 'nobody', candidates)).toThrow(
    expect.objectContaining({ hint: '`tsdocker get volumes` lists what exists.' }),
  );
});

test('the past of a removed successor belongs to its container', () => {
  expect(resolvePast('container', 'web.next', candidates)).toBe('container/blog/web');
  expect(resolvePast('container', 'blog/web.old', candidates)).toBe('container/blog/web');
  const both = [...candidates, { key: 'container/blog/web.next' }] as const;
  expect(resolvePast('container', 'web.next', both)).toBe('container/blog/web.next');
  expect(() => resolvePast('container', 'api.next', candidates)).toThrow('there is no container api');
});
