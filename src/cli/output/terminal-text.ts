/** Text of strangers on a terminal: it may have colours and nothing else that a terminal obeys. */

/**
 * A control character, with what would make it Select Graphic Rendition of ECMA-48 (colours and weights), or one that turns
 * the order of what follows (marks for the direction of a single word stay).
 */
const CONTROL = /\p{Cc}(\[[0-9;:]{0,64}m)?|[\u202a-\u202e\u2066-\u2069]/gu;
const ESCAPE = '\u001b';
const RESET = `${ESCAPE}[0m`;

/** `^[` for ESC, as cat -v writes it; the second set of control characters by number. */
function visible(character: string): string {
  const code = character.charCodeAt(0);
  if (code === 0x7f) return '^?';
  if (code > 0xff) return `\\u${code.toString(16)}`;
  return code < 0x20 ? `^${String.fromCharCode(code + 0x40)}` : `\\x${code.toString(16)}`;
}

/**
 * One piece of a line, safe for a terminal: control characters are shown instead of sent, `\r\n` is `\n`. Colours are kept
 * where `colours` says so, and end with the piece.
 */
export function terminalText(text: string, colours: boolean): string {
  let coloured = false;
  const safe = text.replaceAll('\r\n', '\n').replace(CONTROL, (found, rendition: string | undefined) => {
    const [character = ''] = found;
    if (character === '\n' || character === '\t') return found;
    if (character !== ESCAPE || rendition === undefined) return visible(character) + (rendition ?? '');
    coloured ||= colours;
    return colours ? found : '';
  });
  if (!coloured) return safe;
  return safe.endsWith('\n') ? `${safe.slice(0, -1)}${RESET}\n` : safe + RESET;
}
