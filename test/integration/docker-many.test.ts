/** Containers of the Docker API that come and go leave nothing behind. `npm run docker:long` takes a thousand. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask } from '../support/docker-client.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const TIMES = Number(process.env.TSD_TIMES ?? 50);
/** What is kept of a container that is gone: entries of the journal and the timeline, the latest of which stay. */
const KEPT_BYTES = 12 * 1024;
/** Those, and when an image was used last: one row each. */
const KEPT_TABLES = ['ops', 'timeline', 'image_use'];
const MIB = 1024 * 1024;

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
});
afterAll(() => supervisor.destroy());

async function call(method: string, path: string, body?: unknown): Promise<number> {
  const answer = await ask(supervisor.socket, method, path, { body });
  expect(answer.status, answer.body.toString()).toBeLessThan(300);
  return answer.status;
}

async function comeAndGo(name: string): Promise<void> {
  await call('POST', `/containers/create?name=${name}`, { Image: 'busybox', Cmd: ['sleep', '1000000'] });
  await call('POST', `/containers/${name}/start`);
  await call('DELETE', `/containers/${name}?force=1&v=1`);
}

function rows(): Record<string, number> {
  const database = new Database(join(supervisor.root, 'history.db'), { readonly: true });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all() as string[];
    const count = (table: string) => database.prepare(`SELECT count(*) FROM "${table}"`).pluck().get() as number;
    return Object.fromEntries(
      tables
        .filter((table) => !KEPT_TABLES.includes(table) && !table.startsWith('sqlite_'))
        .map((table) => [table, count(table)]),
    );
  } finally {
    database.close();
  }
}

const files = () =>
  readdirSync(supervisor.root, { recursive: true })
    .filter((name) => !String(name).includes('.db'))
    .sort();
const databases = () =>
  readdirSync(supervisor.root)
    .filter((name) => name.includes('.db'))
    .reduce((sum, name) => sum + statSync(join(supervisor.root, name)).size, 0);
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${supervisor.pid}/status`, 'utf8'))?.[1]) * 1024;

test(`${TIMES} containers come and go`, { timeout: 30_000 + TIMES * 2_000 }, async () => {
  for (let index = 0; index < 10; index++) await comeAndGo(`first-${index}`);
  // The kernel takes interfaces away a moment later.
  await until('the first ones gone', () => supervisor.hostState().links.length === 1);
  const before = { rows: rows(), files: files(), host: supervisor.hostState() };
  const bytes = databases();
  for (let index = 0; index < TIMES; index++) await comeAndGo(`many-${index}`);
  await until('nothing left of them', () => {
    expect({ rows: rows(), files: files(), host: supervisor.hostState() }).toEqual(before);
    return true;
  });
  expect(databases() - bytes).toBeLessThan(TIMES * KEPT_BYTES + MIB);
  // Beside what the garbage collector has not looked at yet.
  expect(memory()).toBeLessThan(300 * MIB);
});
