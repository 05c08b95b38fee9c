/**
 * Control characters in text: those a terminal executes, and the bidirectional controls of Unicode, which change the order
 * in which it shows the text. Pure.
 */

/** Of all kinds but the line break and the tab, which are the end of a line and a blank. */
const NO_TEXT = /(?![\n\t])[\p{Cc}\p{Bidi_C}]/u;
const EACH = new RegExp(NO_TEXT, 'gu');
const RUNS = /[\p{Cc}\p{Bidi_C}]+/gu;

export const hasControls = (text: string): boolean => NO_TEXT.test(text);

/** On one line. */
export const asBlanks = (text: string): string => text.replace(RUNS, ' ');

/** Of JSON, and of YAML where strings that have them are in double quotes: written as `\u009b`, which means the same. */
export function withoutControls(written: string): string {
  return written.replace(EACH, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Room for the end that {@link shortened} gives a text. */
const END_LENGTH = 32;

/** A text that may be as long as a stranger makes it, in at most so many characters; it says when something is missing. */
export function shortened(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const room = limit - END_LENGTH;
  // Not between the two halves of one character.
  const end = /[\ud800-\udbff]/.test(text[room - 1] as string) ? room - 1 : room;
  return `${text.slice(0, end)}… (${text.length} characters)`;
}
