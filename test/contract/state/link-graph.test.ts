import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LinkGraph } from '../../../src/state/link-graph.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('links');
const opened: LinkGraph[] = [];
afterEach(() => {
  for (const graph of opened.splice(0)) graph.close();
});

let path = '';
let graph: LinkGraph;
function open(): LinkGraph {
  const made = new LinkGraph(path);
  opened.push(made);
  return made;
}
beforeEach(() => {
  path = join(directory(), 'linkgraph.db');
  graph = open();
  graph.batch(() => {
    graph.set('/db', 'db-id');
    graph.set('/web', 'web-id');
    graph.set('/web/database', 'db-id');
  });
});

it('finds entities by path and paths of entities, also after a restart', () => {
  const again = open();
  expect([again.get('/'), again.get('/web/database'), again.get('/web/nothing')]).toEqual(['0', 'db-id', null]);
  expect(again.list('/', -1).map((edge) => edge.path)).toEqual(['/db', '/web', '/web/database']);
  expect(again.list('/', 1).map((edge) => edge.path)).toEqual(['/db', '/web']);
  expect(again.list('/nothing', -1)).toEqual([]);
  expect(again.paths().map((edge) => edge.path)).toEqual(['/web/database', '/db', '/web']);
  expect([again.refs('db-id'), again.parents('/db'), again.entities()]).toEqual([
    2,
    ['0', 'web-id'],
    ['db-id', 'web-id'],
  ]);
});

it('refuses a used name with the message of Docker', () => {
  expect(() => graph.set('/web', 'other')).toThrow(
    'Conflict, The name web is already assigned to web-id. You have to delete (or rename) that container to be able to assign web to a container again.',
  );
  expect(graph.entities()).not.toContain('other');
});

it('refuses a missing parent and a container that is its own child', () => {
  expect(() => graph.set('/nobody/alias', 'db-id')).toThrow('Cannot find child for /nobody');
  expect(() => graph.set('/web/me', 'web-id')).toThrow('Cannot set self as child');
});

it('renames within one parent', () => {
  graph.rename('/web', '/site');
  expect([graph.get('/web'), graph.get('/site/database')]).toEqual([null, 'db-id']);
  expect(() => graph.rename('/site', '/db/site')).toThrow('Cannot rename when root paths do not match / != /db');
  expect(() => graph.rename('/nobody', '/x')).toThrow('Cannot locate edge for 0 nobody');
  expect(() => graph.rename('/site', '/db')).toThrow('already assigned');
});

it('deletes one name, or an entity with all its names', () => {
  graph.delete('/web/database');
  graph.delete('/web/database');
  expect([graph.refs('db-id'), graph.get('/db')]).toEqual([1, 'db-id']);
  expect(() => graph.delete('/')).toThrow('Cannot delete root entity');
  graph.set('/web/database', 'db-id');
  expect(graph.purge('web-id')).toBe(1);
  expect([graph.get('/web'), graph.refs('db-id'), graph.entities()]).toEqual([null, 1, ['db-id']]);
});

it('rolls a failed batch back', () => {
  expect(() =>
    graph.batch(() => {
      graph.set('/new', 'new-id');
      graph.set('/web', 'new-id');
    }),
  ).toThrow('already assigned');
  expect([graph.get('/new'), graph.entities()]).toEqual([null, ['db-id', 'web-id']]);
});

it('follows circular links once', () => {
  graph.set('/db/front', 'web-id');
  expect(graph.list('/', -1).map((edge) => edge.path)).toEqual([
    '/db',
    '/db/front',
    '/db/front/database',
    '/web',
    '/web/database',
    '/web/database/front',
  ]);
});

describe('a damaged file', () => {
  it('is kept aside and replaced by a new one', () => {
    opened.pop()?.close();
    writeFileSync(path, 'this is no database, whatever its name says. '.repeat(100));
    const again = open();
    expect(again.entities()).toEqual([]);
    expect(again.issues).toMatchObject([{ path: `${path}.damaged-1`, error: { code: 'TSD_STATE_CORRUPT' } }]);
    expect(readFileSync(`${path}.damaged-1`, 'utf8')).toContain('no database');
    again.set('/x', 'x-id');
    expect(readdirSync(join(path, '..')).sort()).toEqual(['linkgraph.db', 'linkgraph.db.damaged-1']);
  });
});
