import { expect, test } from 'vitest';
import { type App, declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';

const NETWORKS = { back: {}, front: {}, ops: {} };

const apps = (web: Record<string, unknown>, networks: NonNullable<App['networks']> = NETWORKS) => ({
  a: { networks, containers: { web } },
});

/** The plan of a change, with whether anything of it stops the container. */
function changed(from: Record<string, unknown>, to: Record<string, unknown>, networks = NETWORKS) {
  const host = hostWith(apps(from));
  const desired = declare(apps(to, networks), 2);
  const { ops } = planOn(host, desired);
  const text = textOn(host, desired);
  host.applyAll(ops, desired);
  expect(textOn(host, desired)).toBe('nothing to do');
  return { text, ops: ops.map(({ op }) => op) };
}

test.each([
  ['joins a network', { network: 'back' }, { networks: ['back', 'front'] }],
  ['leaves a network', { networks: ['back', 'front'] }, { network: 'back' }],
  ['moves to another network', { network: 'back' }, { network: 'front' }],
  ['moves from the default one', {}, { network: 'front' }],
  ['leaves all networks', { networks: ['back', 'front'] }, { network: 'none' }],
  ['joins its first network', { network: 'none' }, { networks: ['back', 'front'] }],
  ['gets an alias', { network: 'back' }, { networks: { back: { aliases: ['db'] } } }],
  ['gets a fixed address', { network: 'back' }, { network: 'back', address: '10.99.0.9' }],
  ['gets another MAC', { network: 'back' }, { networks: { back: { mac: '02:42:00:00:00:09' } } }],
  ['gets another way out', { networks: ['back', 'front'] }, { networks: { back: {}, front: { gatewayPriority: 1 } } }],
  ['gets another interface name', { network: 'back' }, { networks: { back: { interfaceName: 'up0' } } }],
] as const)('a container %s while it runs', (_, from, to) => {
  expect(changed(from, to).ops).toEqual(['container.update']);
});

test('a container in the namespace of the host or of another one is made again for a network', () => {
  const host = hostWith(apps({ network: 'host' }));
  const { ops } = planOn(host, declare(apps({ networks: ['back', 'front'] }), 2));
  expect(ops.map(({ op }) => op)).toContain('container.remove');
});

test('other forms of the same networks are no change', () => {
  const host = hostWith(apps({ networks: ['front', 'back'] }));
  expect(textOn(host, declare(apps({ networks: { back: null, front: {} } }), 2))).toBe('nothing to do');
  const single = hostWith(apps({ networks: { back: {} } }));
  expect(textOn(single, declare(apps({ network: 'back' }), 2))).toBe('nothing to do');
});

test('a network is set up before a container joins it, and goes after all have left it', () => {
  const { back, ops } = NETWORKS;
  const { text } = changed({ networks: ['back', 'front'] }, { networks: ['back', 'next'] }, {
    back,
    ops,
    next: {},
  } as unknown as typeof NETWORKS);
  expect(text).toMatchInlineSnapshot(`
    "ensure network/a/next — declared in a.yaml:3:3
    update container/a/web in place — networks changed in a.yaml:4:3 (after ensure network/a/next)
    remove network/a/front — no longer declared (after update container/a/web)"
  `);
});

test('a network that takes over the subnet of one that goes waits until its containers have let go of that', () => {
  const host = hostWith(apps({ network: 'old' }, { old: { subnet: '10.99.5.0/24' } }));
  const desired = declare(apps({ network: 'new' }, { new: { subnet: '10.99.5.0/24' } }), 2);
  expect(textOn(host, desired)).toMatchInlineSnapshot(`
    "stop container/a/web — network/a/new takes over the subnet of network/a/old
    disconnect container/a/web — network/a/new takes over the subnet of network/a/old
    remove network/a/old — no longer declared (after disconnect container/a/web)
    ensure network/a/new — declared in a.yaml:1:3 (after remove network/a/old)
    connect container/a/web — network/a/new takes over the subnet of network/a/old (after ensure network/a/new)
    start container/a/web — network/a/new takes over the subnet of network/a/old"
  `);
});
