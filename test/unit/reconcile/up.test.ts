import { expect, test } from 'vitest';
import { declare } from '../../support/declare.ts';
import { planOn, textOn } from '../../support/planning.ts';
import { PureHost } from '../../support/pure-host.ts';

const BLOG = {
  images: { app: './app.tar' },
  volumes: { pgdata: {} },
  networks: { back: {} },
  containers: {
    web: { links: ['db'], network: 'back', ports: ['8080:80'] },
    db: { volumes: ['pgdata:/data'], network: 'back', restart: 'always' },
  },
};

test('starts with image, volume and network, then each container after its link targets', () => {
  expect(textOn(new PureHost(), declare({ blog: BLOG }))).toMatchInlineSnapshot(`
    "load image/blog/app — declared in blog.yaml:1:3
    create volume/blog/pgdata — declared in blog.yaml:2:3
    ensure network/blog/back — declared in blog.yaml:3:3
    create container/blog/db — declared in blog.yaml:5:3 (after load image/blog/app, create volume/blog/pgdata)
    connect container/blog/db — declared in blog.yaml:5:3 (after ensure network/blog/back)
    start container/blog/db — declared in blog.yaml:5:3
    create container/blog/web — declared in blog.yaml:4:3 (after load image/blog/app)
    connect container/blog/web — declared in blog.yaml:4:3 (after ensure network/blog/back)
    start container/blog/web — declared in blog.yaml:4:3 (after start container/blog/db)"
  `);
});
test('a second plan after the first was executed is empty', () => {
  const host = new PureHost();
  const desired = declare({ blog: BLOG });
  host.applyAll(planOn(host, desired).ops, desired);
  expect(textOn(host, desired)).toBe('nothing to do');
});
