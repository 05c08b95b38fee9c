import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DesiredState } from '../../../src/model/desired.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import type { Op } from '../../../src/reconcile/op.ts';
import type { App } from '../../support/declare.ts';
import { declare } from '../../support/declare.ts';
import { formatPlan } from '../../support/format-plan.ts';
import { planOn } from '../../support/planning.ts';
import { PureHost } from '../../support/pure-host.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'] as const;

/** One container of an app; it links only to earlier names, so that no circle can arise. */
const containerAt = (index: number) =>
  fc.record({
    restart: fc.constantFrom('no', 'always', 'on-failure:2', 'unless-stopped'),
    links: fc.subarray(NAMES.slice(0, index)),
    network: fc.constantFrom('bridge', 'none', 'back', ...NAMES.slice(0, index).map((name) => `container:${name}`)),
    env: fc.dictionary(fc.constant('X'), fc.constantFrom('1', '2')),
    labels: fc.dictionary(fc.constant('l'), fc.constantFrom('1', '2')),
    privileged: fc.boolean(),
    ports: fc.subarray(['8080:80', '8081:81']),
    volumes: fc.subarray(['data:/data']),
  });

const app: fc.Arbitrary<App> = fc
  .tuple(fc.subarray([...NAMES]), fc.tuple(...NAMES.map((_, index) => containerAt(index))), fc.constantFrom('1', '2'))
  .chain(([present, containers, imageRevision]) =>
    fc.constantFrom('10.80.0.0/24', '10.81.0.0/24').map((subnet) => {
      const known = (name: string) => present.some((other) => other === name);
      const kept = NAMES.flatMap((name, index) => {
        const container = containers[index];
        if (!container || !known(name)) return [];
        const shared = container.network.startsWith('container:') ? container.network.slice(10) : null;
        const network = shared !== null && !known(shared) ? 'none' : container.network;
        const links = container.links.filter(known);
        return [[name, { ...container, links, network }] as const];
      });
      return {
        images: { app: `./app-${imageRevision}.tar` },
        networks: { back: { subnet } },
        volumes: { data: {} },
        containers: Object.fromEntries(kept),
      };
    }),
  );

type Happening =
  | { readonly what: 'exit'; readonly name: string; readonly code: number | null; readonly ranForMs: number }
  | { readonly what: 'drift' | 'sandbox lost' | 'stop' | 'restart' | 'reboot' | 'time'; readonly name: string }
  | { readonly what: 'network lost' | 'image reloaded'; readonly name: string };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({
    what: fc.constant('exit' as const),
    name: fc.constantFrom(...NAMES),
    code: fc.constantFrom(0, 1, 137, null),
    ranForMs: fc.constantFrom(5, 20_000),
  }),
  fc.record({
    what: fc.constantFrom(
      'drift' as const,
      'sandbox lost' as const,
      'stop' as const,
      'restart' as const,
      'time' as const,
    ),
    name: fc.constantFrom(...NAMES),
  }),
  fc.record({ what: fc.constantFrom('network lost' as const, 'image reloaded' as const), name: fc.constant('') }),
);

function happen(host: PureHost, event: Happening): void {
  const key: ResourceKey = `container/x/${event.name}`;
  const container = host.containers.get(key);
  const network = host.networks.get('network/x/back');
  const image = host.images.get('image/x/app');
  if (event.what === 'time') host.bootMs += 120_000;
  else if (event.what === 'network lost' && network)
    host.networks.set(network.key, { ...network, missing: ['bridge or rules'] });
  else if (event.what === 'image reloaded' && image) host.images.set(image.key, { ...image, imageId: 'reloaded' });
  else if (!container) return;
  else if (event.what === 'exit' && container.running) host.exit(key, event.code, event.ranForMs);
  else if (event.what === 'drift') host.change(key, { drift: ['veth missing'] });
  else if (event.what === 'sandbox lost') host.change(key, { sandbox: false });
  else if (event.what === 'stop') host.change(key, { stopOverride: true });
  else if (event.what === 'restart') host.change(key, { restartRequested: true, stopOverride: false });
}

const history = fc.record({ first: app, events: fc.array(happening, { maxLength: 6 }), second: app });

function prepared(
  { first, events }: { first: App; events: readonly Happening[] },
  others: Readonly<Record<string, App>> = {},
): PureHost {
  const host = new PureHost();
  const desired = declare({ x: first, ...others });
  host.applyAll(planOn(host, desired).ops, desired);
  for (const event of events) happen(host, event);
  return host;
}

/** Plans and applies until the plan is empty or only time can help; returns the number of plans that had ops. */
function settle(host: PureHost, desired: DesiredState, limit: number): number {
  for (let rounds = 0; rounds <= limit; rounds++) {
    const { ops } = planOn(host, desired);
    if (ops.length === 0) return rounds;
    host.applyAll(ops, desired);
  }
  return limit + 1;
}

function expectSound(ops: readonly Op[]): void {
  const seen = new Set<string>();
  for (const op of ops) {
    for (const id of op.dependsOn) expect(seen, `${op.id} depends on ${id}`).toContain(id);
    expect(seen).not.toContain(op.id);
    seen.add(op.id);
  }
}

test('every op follows its dependencies, and no id occurs twice', () => {
  return fc.assert(
    fc.property(history, (h) => {
      expectSound(planOn(prepared(h), declare({ x: h.second }, 2)).ops);
    }),
  );
});

test('a second plan after the ops is empty', () => {
  return fc.assert(
    fc.property(history, (h) => {
      const host = prepared(h);
      // An image that is loaded in the plan has an unknown id until then: its containers follow in a second plan.
      expect(settle(host, declare({ x: h.second }, 2), 3)).toBeLessThanOrEqual(2);
    }),
  );
});

test('a crash after any op still leads to the same end', () => {
  return fc.assert(
    fc.property(history, fc.nat(), (h, cut) => {
      const desired = declare({ x: h.second }, 2);
      const whole = prepared(h);
      settle(whole, desired, 3);
      const host = prepared(h);
      const { ops } = planOn(host, desired);
      host.applyAll(ops.slice(0, cut % (ops.length + 1)), desired);
      expect(settle(host, desired, 4)).toBeLessThanOrEqual(3);
      const running = (of: PureHost) => [...of.containers.values()].map((c) => [c.key, c.running, c.specHash]).sort();
      expect(running(host)).toEqual(running(whole));
    }),
  );
});

test('the same input gives the same plan', () => {
  return fc.assert(
    fc.property(history, (h) => {
      const host = prepared(h);
      const desired = declare({ x: h.second }, 2);
      expect(planOn(host, desired)).toEqual(planOn(host, desired));
    }),
  );
});

test('the fast path equals the full plan', () => {
  return fc.assert(
    fc.property(history, fc.boolean(), ({ first, events, second }, edited) => {
      const elsewhere = (subnet: string): App => ({ networks: { other: { subnet } } });
      const host = prepared({ first, events }, { y: elsewhere('10.90.0.0/24') });
      // A network that is recreated has every container planned at length, on it or not.
      const ofX = (subnet: string) => {
        const { ops, holds } = planOn(host, declare({ x: edited ? second : first, y: elsewhere(subnet) }, 2));
        const concerned = ops.filter(({ key }) => key.includes('/x/'));
        return { ops: concerned.map(({ id, cause }) => [id, cause]).sort(), holds };
      };
      expect(ofX('10.90.0.0/24')).toEqual(ofX('10.91.0.0/24'));
    }),
    { numRuns: 400 },
  );
});

test('removing everything creates, connects and starts nothing, and keeps volumes', () => {
  return fc.assert(
    fc.property(history, (h) => {
      const host = prepared(h);
      const { ops } = planOn(host, declare({}, 2));
      const verbs = new Set(ops.map((op) => op.op));
      for (const op of ['container.create', 'container.connect', 'container.start', 'volume.remove'] as const) {
        expect(verbs).not.toContain(op);
      }
      host.applyAll(ops, declare({}, 2));
      expect([host.containers.size, host.networks.size, host.images.size]).toEqual([0, 0, 0]);
    }),
  );
});

test('nothing is planned for busy keys', () => {
  return fc.assert(
    fc.property(history, fc.subarray([...NAMES]), (h, names) => {
      const busy = new Set<ResourceKey>(names.map((name) => `container/x/${name}` as const));
      const plan = planOn(prepared(h), declare({ x: h.second }, 2), { busy });
      expect(plan.ops.filter((op) => busy.has(op.key))).toEqual([]);
    }),
  );
});

test('nothing is planned outside the scope and its dependencies', () => {
  return fc.assert(
    fc.property(history, (h) => {
      const desired = declare({ x: h.second }, 2);
      const scope = new Set<ResourceKey>(['container/x/a']);
      const { ops } = planOn(prepared(h), desired, { scope });
      expect(ops.filter((op) => op.key.startsWith('container/') && op.key !== 'container/x/a')).toEqual([]);
    }),
  );
});

test('a stop of what stays declared is followed by a start, unless a person asked for it', () => {
  return fc.assert(
    fc.property(history, (h) => {
      const host = prepared(h);
      const desired = declare({ x: h.second }, 2);
      const plan = planOn(host, desired);
      for (const op of plan.ops) {
        if (op.op !== 'container.stop' || !desired.resources.has(op.key)) continue;
        const started = plan.ops.some((other) => other.id === `start ${op.key}`);
        expect(started || host.container(op.key).stopOverride, formatPlan(plan)).toBe(true);
        expect(op.restart).toBe(started);
      }
    }),
  );
});

test('an unchanged and healthy container has no op', () => {
  return fc.assert(
    fc.property(app, (declared) => {
      const desired = declare({ x: declared });
      const host = new PureHost();
      host.applyAll(planOn(host, desired).ops, desired);
      expect(planOn(host, desired).ops).toEqual([]);
    }),
  );
});
