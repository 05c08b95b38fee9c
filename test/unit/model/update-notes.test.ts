import { expect, test } from 'vitest';
import { updateNotes } from '../../../src/model/notes/update-notes.ts';
import { type App, declare } from '../../support/declare.ts';

const MOVES = { update: { order: 'start-first' } };
const notes = (apps: Readonly<Record<string, App>>) =>
  updateNotes(declare(apps).resources).map(({ key, message, hint }) => `${key}: ${message}. ${hint}`);
/** On a network where two containers cannot share an address. */
const LAN = { driver: 'macvlan', parent: 'eth0' };
const blog = (
  containers: Readonly<Record<string, object>>,
  networks: readonly string[] = ['lan'],
  settings: object = LAN,
) => ({
  blog: {
    networks: Object.fromEntries(networks.map((name) => [name, settings])),
    containers: Object.fromEntries(
      Object.entries(containers).map(([name, written]) => [
        name,
        networks.includes('lan') ? { network: 'lan', ...written } : written,
      ]),
    ),
  } as App,
});
const about = (who: string) =>
  `container/blog/web: a start-first update gives web another address, and ${who} may hold the old one (a proxy such as nginx looks a name up once). `;
const MEND = '`onDependencyRestart: restart` (or `signal:HUP`, where it looks names up again at that signal)';

test('dependents that do not react are named, with the field', () => {
  for (const tie of [{ links: ['web'] }, { dependsOn: ['web'] }]) {
    expect(notes(blog({ web: MOVES, proxy: tie, other: {} }))).toEqual([`${about('proxy')}Write ${MEND} at proxy.`]);
  }
});

test.each(['restart', 'signal:HUP'])('%s gives no note', (onDependencyRestart) => {
  expect(notes(blog({ web: MOVES, proxy: { dependsOn: ['web'], onDependencyRestart }, other: {} }))).toEqual([]);
});

test('other containers of its network are named without known dependents, except its own dependencies', () => {
  expect(notes(blog({ web: { ...MOVES, links: ['db'] }, db: {}, a: {}, b: {}, c: {}, d: {} }))).toEqual([
    `${about('a, b, c and 1 more')}Where one of them does, write \`dependsOn: [web]\` and ${MEND} there.`,
  ]);
  expect(notes(blog({ web: { ...MOVES, dependsOn: ['db'] }, db: {} }))).toEqual([]);
});

test('on a bridge the address stays, and there is nothing to say', () => {
  const containers = { web: MOVES, proxy: { links: ['web'] } };
  expect(notes(blog(containers, []))).toEqual([]);
  for (const driver of [{}, { driver: 'bridge' }]) expect(notes(blog(containers, ['lan'], driver))).toEqual([]);
});

test('other networks, stop-first and the default network of other apps give no note', () => {
  const back = ['back'];
  expect(notes(blog({ web: { ...MOVES, network: 'back' }, other: {} }, back))).toEqual([]);
  expect(notes(blog({ web: {}, proxy: { links: ['web'] } }))).toEqual([]);
  expect(notes({ ...blog({ web: MOVES }), shop: { containers: { a: {} } } as App })).toEqual([]);
  const shared = { shop: { containers: { a: { network: 'blog/back' } } } as App };
  expect(notes({ ...blog({ web: { ...MOVES, network: 'back' } }, back), ...shared })).toEqual([
    `${about('shop/a')}Where one of them does, write \`dependsOn: [blog/web]\` and ${MEND} there.`,
  ]);
});
