import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { externalModules } from '../../../src/images/sources/host/external-modules.ts';
import { temporaryDirectory } from '../../support/images.ts';

let temporary: ReturnType<typeof temporaryDirectory>;
let modules: string;
beforeEach(() => {
  temporary = temporaryDirectory();
  modules = join(temporary.path, 'nodejs');
  mkdirSync(modules);
});
afterEach(() => temporary.remove());

/** A real program that carries the paths as a compiler puts them there: strings that end in a zero byte. */
function programNaming(name: string, paths: readonly string[], padding = 0): string {
  const program = join(temporary.path, name);
  copyFileSync('/bin/true', program);
  const strings = paths.map((path) => `\0${path}\0`).join('');
  writeFileSync(program, Buffer.concat([readFileSync(program), Buffer.alloc(padding), Buffer.from(strings)]));
  return program;
}

it('finds modules that a distribution installs outside the program', () => {
  const lexer = join(modules, 'lexer.js');
  writeFileSync(lexer, '');
  const missing = join(modules, 'gone.js');
  expect(externalModules(programNaming('libnode.so.115', [lexer, missing, '/etc/other.js']), modules)).toEqual([lexer]);
  expect(externalModules(programNaming('node', [lexer]), modules)).toEqual([lexer]);
});

it('finds a path that spans two reads', () => {
  const lexer = join(modules, 'lexer.js');
  writeFileSync(lexer, '');
  const size = readFileSync('/bin/true').length;
  const toBoundary = 1024 * 1024 - (size % (1024 * 1024)) - lexer.length / 2;
  expect(externalModules(programNaming('node', [lexer], Math.floor(toBoundary)), modules)).toEqual([lexer]);
});

it('reads only the program of Node', () => {
  const lexer = join(modules, 'lexer.js');
  writeFileSync(lexer, '');
  expect(externalModules(programNaming('cat', [lexer]), modules)).toEqual([]);
});
