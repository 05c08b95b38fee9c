import { expect, test } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';

const WEB: ResourceKey = 'container/blog/web';
const check = { tcp: 80, startPeriod: '0s' };
const blog = (web: Record<string, unknown>, db?: Record<string, unknown>) => ({
  blog: { containers: { ...(db && { db }), web: { network: 'none', ...web } } },
});

test('an unhealthy container is stopped and restarted by its policy with backoff', () => {
  const apps = blog({ restart: 'always', health: check });
  const desired = declare(apps);
  const host = hostWith(apps);
  const failThrice = () => {
    for (let n = 0; n < 3; n++) host.probe(WEB, 'check', false, 'refused');
  };
  host.probe(WEB, 'check', true);
  expect(textOn(host, desired)).toBe('nothing to do');
  failThrice();
  expect(textOn(host, desired)).toMatchInlineSnapshot(
    `"stop container/blog/web — unhealthy: health check failed 3 times: refused"`,
  );
  host.applyAll(planOn(host, desired).ops, desired);
  expect(textOn(host, desired)).toMatchInlineSnapshot(
    `"start container/blog/web — unhealthy: health check failed 3 times: refused, restart 1"`,
  );
  host.applyAll(planOn(host, desired).ops, desired);
  failThrice();
  host.applyAll(planOn(host, desired).ops, desired);
  expect(planOn(host, desired)).toMatchObject({ ops: [], holds: [{ key: WEB, reason: 'backing-off' }] });
});

test.each([
  ['no', 'nothing to do'],
  ['on-failure:0', 'stop container/blog/web — unhealthy: health check failed 3 times: refused'],
])('policy %s', (restart, text) => {
  const apps = blog({ restart, health: check });
  const host = hostWith(apps);
  for (let n = 0; n < 3; n++) host.probe(WEB, 'check', false);
  expect(textOn(host, declare(apps))).toBe(text);
});

test('an unhealthy container without restarts left keeps running', () => {
  const apps = blog({ restart: 'on-failure:2', health: check });
  const host = hostWith(apps);
  host.change(WEB, { restarts: { restarts: 2, consecutive: 2 } });
  for (let n = 0; n < 3; n++) host.probe(WEB, 'check', false);
  expect(textOn(host, declare(apps))).toBe('nothing to do');
});

test('an unready container has no op', () => {
  const apps = blog({ restart: 'always', health: { readiness: { tcp: 1, retries: 1 } } });
  const host = hostWith(apps);
  host.probe(WEB, 'readiness', true);
  host.probe(WEB, 'readiness', false);
  expect(textOn(host, declare(apps))).toBe('nothing to do');
});

test('a changed check is applied while the container runs', () => {
  const host = hostWith(blog({ health: { tcp: 80 } }));
  expect(textOn(host, declare(blog({ health: { tcp: 80, interval: '3s' } }), 2))).toMatchInlineSnapshot(
    `"update container/blog/web in place — health.check changed in blog.yaml:1:3"`,
  );
});
