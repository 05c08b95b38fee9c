/** A list of some hundred thousand items that is spread into a call overflows the stack: Maximum call stack size exceeded. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { append, largest, smallest } from '../../src/model/lists.ts';

/** Calls whose arguments the code itself counts: tuples, and options of commands. */
const COUNTED: ReadonlySet<string> = new Set([
  'cli/commands/manifests/get.ts: watchList',
  'cli/commands/manifests/get.ts: printList',
  'cli/program.ts: command.run',
  'drivers/exec/native/cgroups/manager.ts: this.#ids.of',
  'drivers/exec/native/program/cgroup-ops.ts: program.op',
  'drivers/exec/native/program/compile.ts: program.op',
  'drivers/exec/native/program/rootfs.ts: options.push',
  'ffi/network/conntrack.ts: nested',
  'ffi/network/ingress-filter.ts: nested',
  'ffi/network/l2-links.ts: nested',
  'ffi/network/port-rewrite.ts: nested',
  'ffi/network/traffic-control.ts: nested',
  'images/export/write-file.ts: pipeline',
  'reconcile/plan/backoff.ts: fraction',
  'reconcile/plan/plan.ts: pinned.set',
  'supervisor/requests/approvals.ts: wanted',
  'supervisor/jobs/call.ts: Object.assign',
  'supervisor/jobs/call.ts: method',
  'supervisor/logs/forwarding/net-sinks.ts: this.#socket.send',
]);

const sources = join(import.meta.dirname, '../../src');

/** The rest parameters of the functions around a node: what a caller wrote down one by one. */
function restParameters(node: ts.Node): string[] {
  const found: string[] = [];
  for (let at = node.parent; at !== undefined; at = at.parent) {
    if (!ts.isFunctionLike(at)) continue;
    for (const { dotDotDotToken, name } of at.parameters) if (dotDotDotToken) found.push(name.getText());
  }
  return found;
}

function spreadingCalls(file: string): string[] {
  const found: string[] = [];
  const source = ts.createSourceFile(file, readFileSync(join(sources, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const spread = node.arguments?.filter(ts.isSpreadElement) ?? [];
      const own = restParameters(node);
      const isLong = spread.some(({ expression }) => !own.includes(expression.getText()));
      const name = `${file}: ${node.expression.getText()}`;
      if (isLong && !COUNTED.has(name)) found.push(name);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test('no call spreads a list of unbounded length', () => {
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  expect(files.length).toBeGreaterThan(500);
  expect(files.flatMap(spreadingCalls)).toEqual([]);
});

test('a million items are appended, and their minimum and maximum found', () => {
  const numbers = Array.from({ length: 1_000_000 }, (_, index) => index);
  const all: number[] = [-1];
  append(all, numbers);
  expect(all.length).toBe(1_000_001);
  expect([largest(numbers), smallest(numbers)]).toEqual([999_999, 0]);
  expect([largest([], 7), smallest([], 7)]).toEqual([7, 7]);
});
