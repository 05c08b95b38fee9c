/** The layers of scripts/layers.cjs: each file is in one, and the rules made of them refuse what the table does not list. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { layerRules } from '../../../scripts/layers.cjs';

const patterns = (paths: string | readonly string[]) => [paths].flat().map((path) => new RegExp(path));
const fits = (file: string, paths: string | readonly string[]) => patterns(paths).some((path) => path.test(file));

/** As dependency-cruiser reads a rule. */
function broken(from: string, to: string, isType = false): readonly string[] {
  return layerRules()
    .filter((rule) => fits(from, rule.from.path) && fits(to, rule.to.path) && !fits(to, rule.to.pathNot))
    .filter((rule) => !isType || rule.to.dependencyTypesNot === undefined)
    .map(({ name }) => name);
}

test('each source file is in exactly one layer', () => {
  const layers = layerRules().filter(({ name }) => !name.endsWith('-types-only'));
  const layersOf = (file: string) => layers.filter(({ from }) => fits(file, from.path));
  const names = readdirSync('src', { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.ts')).map((name) => `src/${name}`);
  expect(files.length).toBeGreaterThan(500);
  expect(files.filter((file) => layersOf(file).length !== 1)).toEqual([]);
});

test.each([
  ['src/model/op.ts', 'src/ffi/libc.ts', ['layer-model']],
  ['src/reconcile/plan/plan.ts', 'src/reconcile/observe.ts', ['layer-plan']],
  ['src/reconcile/observe.ts', 'src/drivers/registry.ts', ['layer-reconcile']],
  ['src/reconcile/observe.ts', 'src/reconcile/plan/plan.ts', []],
  ['src/drivers/graph/vfs/vfs-driver.ts', 'src/state/root.ts', ['layer-drivers']],
  ['src/supervisor/view.ts', 'src/cli/program.ts', ['layer-supervisor']],
  ['src/composition/parts.ts', 'src/main.ts', ['layer-composition']],
  ['src/cli/commands/host/daemon.ts', 'src/main.ts', []],
  ['src/cli/commands/manifests/get.ts', 'src/reconcile/plan/plan.ts', ['layer-cli']],
  ['src/state/root.ts', 'src/drivers/contract/graph.ts', ['layer-state-types-only']],
])('%s may not import %s: %j', (from, to, rules) => expect(broken(from, to)).toEqual(rules));

test('types of the contract can be imported where its values cannot', () =>
  expect(broken('src/state/root.ts', 'src/drivers/contract/graph.ts', true)).toEqual([]));
