/** `${NAME:-default}` in Compose files (the Compose specification, "Interpolation"). */
import type { Draft } from '../draft.ts';
import type { Part } from '../part.ts';

/** Deeper defaults within defaults are not written by people. */
const MAX_DEPTH = 16;

/** More text than a whole file may have: `${A}${A}` in line after line would double it each time. */
const MAX_LENGTH = 1024 ** 2;

/** A variable that cannot be replaced. */
export class BadVariable extends Error {}

export interface Expansion {
  readonly get: (name: string) => string | undefined;
  /** Called for each unresolved name. */
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
  if (!match) throw new BadVariable(`"\${${inside.slice(0, 60)}}" is not a variable; write $$ for a dollar sign`);
  const [, name = '', colon, operator, word = ''] = match;
  const value = expansion.get(name);
  const given = value !== undefined && (colon !== ':' || value !== '');
  if (operator === '-') return given ? value : expand(word, expansion, depth + 1);
  if (operator === '+') return given ? expand(word, expansion, depth + 1) : '';
  if (operator === '?' && !given) {
    const reason = expand(word, expansion, depth + 1);
    throw new BadVariable(`the variable ${name} is required${reason === '' ? '' : `: ${reason}`}`);
  }
  if (value === undefined) expansion.unset(name);
  return value ?? '';
}

function expand(text: string, expansion: Expansion, depth: number): string {
  if (depth > MAX_DEPTH) throw new BadVariable('variables are nested too deeply');
  let result = '';
  let offset = 0;
  for (;;) {
    if (result.length > MAX_LENGTH) throw new BadVariable('the text grows too large when its variables are filled in');
    const dollar = text.indexOf('$', offset);
    if (dollar < 0) return result + text.slice(offset);
    result += text.slice(offset, dollar);
    const next = text[dollar + 1] ?? '';
    const plain = /^[A-Za-z_]\w*/.exec(text.slice(dollar + 1, dollar + 129));
    if (next === '{') {
      const end = closingBrace(text, dollar + 2);
      if (end < 0) throw new BadVariable('"${" is left open');
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

/** A text with all variables replaced. @throws BadVariable */
export const expandText = (text: string, expansion: Expansion): string => expand(text, expansion, 0);

/** Text that the values of one project may add to its files. */
const MAX_ADDED = 8 * 1024 ** 2;

/** Fills in the variables of a project's files. */
export class Interpolation {
  readonly #values: ReadonlyMap<string, string>;
  readonly #draft: Draft;
  #added = 0;

  constructor(values: ReadonlyMap<string, string>, draft: Draft) {
    this.#values = values;
    this.#draft = draft;
  }

  /** The tree with all variables replaced. One without a value becomes nothing and is a warning, as with Compose. */
  tree(part: Part): Part {
    const { content } = part;
    if (content.type === 'mapping') {
      const members = [...content.members].map(([key, member]) => [key, this.tree(member)] as const);
      return part.with({ type: 'mapping', members: new Map(members) });
    }
    if (content.type === 'list') {
      return part.with({ type: 'list', items: content.items.map((item) => this.tree(item)) });
    }
    if (content.type !== 'text' || !content.text.includes('$')) return part;
    return part.with({ type: 'text', text: this.#filled(content.text, part) });
  }

  #filled(text: string, part: Part): string {
    const unset = (name: string) =>
      this.#draft.warn(part.at, `the variable ${name} has no value in .env and becomes empty text`);
    try {
      const filled = expandText(text, { get: (name) => this.#values.get(name), unset });
      this.#added += filled.length;
      if (this.#added > MAX_ADDED) throw new BadVariable('the file grows too large when its variables are filled in');
      return filled;
    } catch (thrown) {
      if (!(thrown instanceof BadVariable)) throw thrown;
      this.#draft.refuse(part.at, thrown.message);
      // Not empty, which would be taken for a field that is not there.
      return 'unknown';
    }
  }
}
