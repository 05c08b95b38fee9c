import { expect, test } from 'vitest';
import { resolveName } from '../../../src/supervisor/names.ts';

const candidates = [
  { key: 'image/blog/bb' },
  { key: 'volume/shop/bb' },
  { key: 'container/blog/web', engineName: 'blog-web', id: 'a1b2c3' },
] as const;

test('a name of another kind is offered', () => {
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
