/** `tsdocker -d` with the flags of a daemon, as `docker -d` was before there was a command for it. */
import { SETTINGS } from '../settings/settings.ts';

const flagsOf = (setting: { readonly flags: string; readonly alias?: string }): string[] => [
  setting.flags,
  ...(setting.alias === undefined ? [] : [setting.alias]),
];

/** Flags whose value is the next word. */
const TAKE_VALUE: ReadonlySet<string> = new Set(
  Object.values(SETTINGS)
    .flatMap(flagsOf)
    .filter((flags) => flags.includes('<'))
    .flatMap((flags) => flags.split(/[ ,]+/).filter((word) => word.startsWith('-'))),
);

const isMode = (word: string): boolean => word === '-d' || word === '--daemon';

/** The words after `daemon` that mean the same; null where no `-d` comes before a command. */
export function daemonWords(argv: readonly string[]): readonly string[] | null {
  let isValue = false;
  for (const [index, word] of argv.entries()) {
    if (!isValue && isMode(word)) return argv.filter((_, other) => other !== index);
    if (!isValue && !word.startsWith('-')) return null;
    isValue = !isValue && TAKE_VALUE.has(word);
  }
  return null;
}
