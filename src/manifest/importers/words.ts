/** Words of a command line that no shell will see. */
import { type Parsed, parsed, refused } from '../../model/kinds/short-forms.ts';

/** One quoted or plain stretch of a word. In double quotes a backslash keeps its meaning before `"`, `\`, `$` and `` ` `` only. */
const STRETCH = /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)/y;

function stretchAt(text: string, offset: number): { text: string; end: number } | null {
  STRETCH.lastIndex = offset;
  const match = STRETCH.exec(text);
  if (!match) return null;
  const [, single, double, escaped, plain] = match;
  const content = single ?? double?.replace(/\\(["\\$`\n])/g, '$1') ?? escaped ?? plain ?? '';
  return { text: content, end: STRETCH.lastIndex };
}

/** Splits as a POSIX shell does, without expansions. */
export function shellWords(text: string): Parsed<string[]> {
  const words: string[] = [];
  let word: string | null = null;
  let offset = 0;
  while (offset < text.length) {
    if (/\s/.test(text[offset] ?? '')) {
      if (word !== null) words.push(word);
      word = null;
      offset++;
      continue;
    }
    const stretch = stretchAt(text, offset);
    if (!stretch) return refused('a quote or backslash is left open');
    word = (word ?? '') + stretch.text;
    offset = stretch.end;
  }
  if (word !== null) words.push(word);
  return parsed(words);
}
