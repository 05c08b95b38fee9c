/** Blocks of code in the documents of this repository, as a reader sees them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '../..');

export interface Block {
  /** Relative to the repository. */
  readonly file: string;
  /** Of its first line inside. */
  readonly line: number;
  /** The word after the fence; empty for none. */
  readonly language: string;
  /** The headings that it is below, the nearest last. */
  readonly headings: readonly string[];
  readonly text: string;
}

/** The documents of the repository. */
export function documents(): string[] {
  const listed = execFileSync('git', ['-C', REPOSITORY, 'ls-files', '*.md'], { encoding: 'utf8' });
  return listed.split('\n').filter((name) => name !== '');
}

export function blocksOf(file: string): Block[] {
  const blocks: Block[] = [];
  let headings: string[] = [];
  let open: { line: number; language: string; lines: string[] } | null = null;
  for (const [index, line] of readFileSync(join(REPOSITORY, file), 'utf8').split('\n').entries()) {
    const fence = /^ *```(\S*)/.exec(line);
    if (open !== null && fence !== null) {
      blocks.push({ file, line: open.line, language: open.language, headings, text: `${open.lines.join('\n')}\n` });
      open = null;
    } else if (open !== null) open.lines.push(line);
    else if (fence !== null) open = { line: index + 2, language: fence[1] ?? '', lines: [] };
    else {
      const heading = /^(#+) (.*)/.exec(line);
      if (heading) headings = [...headings.slice(0, (heading[1] ?? '').length - 1), heading[2] ?? ''];
    }
  }
  if (open !== null) throw new Error(`${file}:${open.line}: the block has no end`);
  return blocks;
}
