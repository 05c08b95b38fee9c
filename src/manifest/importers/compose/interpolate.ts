/** `${NAME:-default}` in Compose files (the Compose specification, "Interpolation"). */
import type { Draft } from '../draft.ts';
import type { Part } from '../part.ts';

/** Deeper defaults within defaults are not written by people. */
const MAX_DEPTH = 16;

class Missing extends Error {}

interface Expansion {
  readonly values: ReadonlyMap<string, string>;
  /** Told once for each name that stands for nothing. */
  readonly unset: (name: string) => void;
}

/** End of the braces that open before `start`, or -1. */
function closingBrace(text: string, start: number): number {
  let open = 1;
  for (let offset = start; offset < text.length; offset++) {
    if (text[offset] === '}') open--;
    else if (text.startsWith('${', offset)) open++;
    if (open === 0) return offset;
  }
  return -1;
}

function braced(inside: string, expansion: Expansion, depth: number): string {
  const match = /^([A-Za-z_]\w*)(?:(:?)([-+?])([\s\S]*))?$/.exec(inside);
  if (!match) throw new Missing(`"\${${inside.slice(0, 60)}}" is not a variable; write $$ for a dollar sign`);
  const [, name = '', colon, operator, word = ''] = match;
  const value = expansion.values.get(name);
  const given = value !== undefined && (colon !== ':' || value !== '');
  if (operator === '-') return given ? value : expand(word, expansion, depth + 1);
  if (operator === '+') return given ? expand(word, expansion, depth + 1) : '';
  if (operator === '?' && !given) {
    const reason = expand(word, expansion, depth + 1);
    throw new Missing(`the variable ${name} is required${reason === '' ? '' : `: ${reason}`}`);
  }
  if (value === undefined) expansion.unset(name);
  return value ?? '';
}

function expand(text: string, expansion: Expansion, depth: number): string {
  if (depth > MAX_DEPTH) throw new Missing('variables are nested too deeply');
  let result = '';
  let offset = 0;
  for (;;) {
    const dollar = text.indexOf('$', offset);
    if (dollar < 0) return result + text.slice(offset);
    result += text.slice(offset, dollar);
    const next = text[dollar + 1] ?? '';
    const plain = /^[A-Za-z_]\w*/.exec(text.slice(dollar + 1, dollar + 129));
    if (next === '{') {
      const end = closingBrace(text, dollar + 2);
      if (end < 0) throw new Missing('"${" is left open');
      result += braced(text.slice(dollar + 2, end), expansion, depth);
      offset = end + 1;
    } else if (plain) {
      result += braced(plain[0], expansion, depth);
      offset = dollar + 1 + plain[0].length;
    } else {
      result += '$';
      offset = dollar + (next === '$' ? 2 : 1);
    }
  }
}

/** The tree with all variables replaced. One without a value becomes nothing and is a warning, as with Compose. */
export function interpolate(part: Part, values: ReadonlyMap<string, string>, draft: Draft): Part {
  const { content } = part;
  if (content.type === 'mapping') {
    const members = [...content.members].map(([key, member]) => [key, interpolate(member, values, draft)] as const);
    return part.with({ type: 'mapping', members: new Map(members) });
  }
  if (content.type === 'list') {
    return part.with({ type: 'list', items: content.items.map((item) => interpolate(item, values, draft)) });
  }
  if (content.type !== 'text' || !content.text.includes('$')) return part;
  const unset = (name: string) =>
    draft.warn(part.at, `the variable ${name} has no value in .env and becomes empty text`);
  try {
    return part.with({ type: 'text', text: expand(content.text, { values, unset }, 0) });
  } catch (thrown) {
    if (!(thrown instanceof Missing)) throw thrown;
    draft.refuse(part.at, thrown.message);
    return part.with({ type: 'text', text: '' });
  }
}
