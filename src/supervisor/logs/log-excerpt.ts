/** The last lines of a container's log, for the timeline. Read at once: the end of a run waits for nothing. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { LOG_EXCERPT } from '../../model/status/timeline.ts';
import { parseEntry } from './entry.ts';

/** Enough for what is kept of it: a character takes at most six bytes in the file, and each line some 80 more. */
const TAIL_BYTES = 6 * LOG_EXCERPT.bytes + 100 * LOG_EXCERPT.lines;

function readTail(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const read = readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    const text = buffer.toString('utf8', 0, read);
    // The text before the first newline is the end of a line that began earlier.
    return size > buffer.length ? text.slice(text.indexOf('\n') + 1) : text;
  } finally {
    closeSync(fd);
  }
}

/** Lines of several entries, cut to the bounds of {@link LOG_EXCERPT}; the newest are kept. */
function bounded(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const kept: string[] = [];
  let left: number = LOG_EXCERPT.bytes;
  for (const line of lines.slice(-LOG_EXCERPT.lines).reverse()) {
    const bytes = Buffer.from(line);
    if (bytes.length > left) {
      if (kept.length === 0) kept.push(`…${bytes.toString('utf8', bytes.length - left).replace(/^�+/, '')}`);
      break;
    }
    left -= bytes.length;
    kept.unshift(line);
  }
  return kept;
}

/**
 * What was written since a moment (Unix ms), at most {@link LOG_EXCERPT}. Looks at the live file and, where that was begun
 * a moment ago, at the one before it. Empty when there is no log.
 */
export function logExcerpt(path: string, sinceMs: number): readonly string[] {
  const textOf = (file: string): string =>
    readTail(file)
      .split('\n')
      .flatMap((line) => {
        const entry = line === '' ? null : parseEntry(line);
        return entry && Date.parse(entry.time) >= sinceMs ? [entry.log] : [];
      })
      .join('');
  const live = bounded(textOf(path));
  return live.length >= LOG_EXCERPT.lines
    ? live
    : bounded(textOf(`${path}.1`) + live.map((line) => `${line}\n`).join(''));
}
