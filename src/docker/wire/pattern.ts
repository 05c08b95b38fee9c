/** Regular expressions that a client sends. */
import { createContext, Script } from 'node:vm';

/** What a client may write can take longer than the age of the host. */
const MOST_MS = 50;

const SCRIPT = new Script('texts.map((text) => new RegExp(source).test(text))');

/**
 * Which of the texts a regular expression is found in. One that is none, or that takes too long, is found in no text,
 * as Docker has it.
 */
export function foundIn(source: string, texts: readonly string[]): readonly boolean[] {
  try {
    const context = createContext({ source, texts: [...texts] });
    const found: unknown = SCRIPT.runInContext(context, { timeout: MOST_MS });
    return Array.isArray(found) ? found.map(Boolean) : texts.map(() => false);
  } catch {
    return texts.map(() => false);
  }
}
