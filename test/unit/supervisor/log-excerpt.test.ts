import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { logExcerpt } from '../../../src/supervisor/logs/log-excerpt.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('log-excerpt');
const time = (second: number) => `2026-01-02T03:00:${String(second).padStart(2, '0')}.000000001Z`;
const entry = (log: string, second = 10) => `${JSON.stringify({ log, stream: 'stdout', time: time(second) })}\n`;

let path = '';
beforeEach(() => {
  path = join(directory(), 'x-json.log');
});

describe('the excerpt of a log', () => {
  test('has the last lines, ten at most', () => {
    writeFileSync(path, Array.from({ length: 30 }, (_, n) => entry(`line ${n}\n`)).join(''));
    expect(logExcerpt(path, 0)).toEqual(Array.from({ length: 10 }, (_, n) => `line ${20 + n}`));
  });

  test('joins the parts of a line', () => {
    writeFileSync(path, `${entry('one ')}${entry('line\n')}${entry('and a rest')}`);
    expect(logExcerpt(path, 0)).toEqual(['one line', 'and a rest']);
  });

  test('covers one run', () => {
    writeFileSync(path, `${entry('before\n', 1)}${entry('now\n', 20)}`);
    expect(logExcerpt(path, Date.parse(time(10)))).toEqual(['now']);
  });

  test('extends into the previous file', () => {
    writeFileSync(`${path}.1`, `${entry('one\n')}${entry('two\n')}`);
    writeFileSync(path, entry('three\n'));
    expect(logExcerpt(path, 0)).toEqual(['one', 'two', 'three']);
  });

  test('has at most 2 KiB, the newest', () => {
    writeFileSync(path, `${entry('first\n')}${entry(`${'é'.repeat(5000)}\n`)}`);
    const [line = '', ...more] = logExcerpt(path, 0);
    expect(more).toEqual([]);
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(2048 + 3);
    expect(line).toMatch(/^…é+$/);
  });

  test('of a missing, empty or damaged log has the readable part', () => {
    expect(logExcerpt(path, 0)).toEqual([]);
    writeFileSync(path, '');
    expect(logExcerpt(path, 0)).toEqual([]);
    appendFileSync(path, `{"log":"x\n\0\0\n${entry('good\n')}{"log":"torn`);
    expect(logExcerpt(path, 0)).toEqual(['good']);
  });
});
