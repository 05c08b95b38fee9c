/** Regular expressions that a client sends, in the syntax of Go, which Docker takes them in. */
import { RE2JS } from 're2js';
import { DockerError } from './docker-error.ts';

/** Of this process's own time, so a busy host refuses nothing that is sound. What takes so long is of no use to anyone. */
const MOST_US = 500_000;

function compiled(source: string): RE2JS | null {
  try {
    return RE2JS.compile(source);
  } catch {
    return null;
  }
}

/**
 * Which of the texts a regular expression is found in; one that is none is found in no text, as Docker has it. The time a
 * text takes grows with its length alone.
 *
 * @throws DockerError 400 for one that takes too long
 */
export function foundIn(source: string, texts: readonly string[]): readonly boolean[] {
  const pattern = compiled(source);
  if (pattern === null) return texts.map(() => false);
  const before = process.cpuUsage();
  return texts.map((text) => {
    if (process.cpuUsage(before).user > MOST_US)
      throw new DockerError(400, 'invalid filter: its pattern takes too long');
    return pattern.matcher(text).find();
  });
}
