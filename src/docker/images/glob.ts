/** Patterns of names as Go's path.Match has them. Pure. */
import { DockerError } from '../wire/docker-error.ts';

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** `[a-z]`, `[^a-z]`, with escapes; null where it does not end. */
function classOf(glob: string, at: number): { readonly source: string; readonly end: number } | null {
  let end = at + 1;
  const isNegated = glob[end] === '^';
  if (isNegated) end++;
  let source = '';
  for (; end < glob.length && glob[end] !== ']'; end++) {
    if (glob[end] === '\\') end++;
    const character = glob[end] ?? '';
    source += character === '-' ? '-' : literal(character);
  }
  if (end >= glob.length || source === '') return null;
  return { source: `[${isNegated ? '^' : ''}${source}]`, end };
}

/** The same as a regular expression. @throws DockerError 400 */
export function globSource(glob: string): string {
  let source = '^';
  for (let at = 0; at < glob.length; at++) {
    const character = glob[at] ?? '';
    if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '[') {
      const found = classOf(glob, at);
      if (found === null) throw new DockerError(400, 'syntax error in pattern');
      source += found.source;
      at = found.end;
    } else if (character === '\\') {
      at++;
      if (at >= glob.length) throw new DockerError(400, 'syntax error in pattern');
      source += literal(glob[at] ?? '');
    } else source += literal(character);
  }
  return `${source}$`;
}
