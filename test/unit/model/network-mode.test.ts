import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  isBridged,
  isReservedName,
  networkMode,
  ownsNamespace,
  sharedNetwork,
} from '../../../src/model/network-mode.ts';

test.each([
  ['bridge', { type: 'bridge' }, true, true],
  ['none', { type: 'none' }, true, false],
  ['host', { type: 'host' }, false, false],
  ['container:db', { type: 'container', name: 'db' }, false, false],
  ['container:blog/db', { type: 'container', name: 'blog/db' }, false, false],
  ['container:host', { type: 'container', name: 'host' }, false, false],
  ['back', { type: 'network', name: 'back' }, true, true],
  ['blog/host', { type: 'network', name: 'blog/host' }, true, true],
  // A record of Docker without a mode.
  ['', { type: 'network', name: '' }, true, true],
])('%j is a network mode', (text, mode, owns, bridged) => {
  expect(networkMode(text)).toEqual(mode);
  expect([ownsNamespace(networkMode(text)), isBridged(networkMode(text))]).toEqual([owns, bridged]);
});

test('`container:NAME` is parsed as a shared network', () => {
  expect(networkMode(sharedNetwork('db'))).toEqual({ type: 'container', name: 'db' });
});

test('mode words are not network names', () => {
  expect(['bridge', 'host', 'none', 'container', 'back', 'constructor'].filter(isReservedName)).toEqual([
    'bridge',
    'host',
    'none',
    'container',
  ]);
});

test('no other file parses the text', () => {
  const src = join(import.meta.dirname, '../../../src');
  const takesApart = /\bnetwork(Mode)? [!=]== '(bridge|host|none)'|\(['"]container:['"]/i;
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const found = files.filter((file) => takesApart.test(readFileSync(join(src, file), 'utf8')));
  // The network of a build step is another thing, with values of its own.
  expect(found.filter((file) => !/\/build\//.test(file))).toEqual([]);
});
