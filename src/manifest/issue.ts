import type { ErrorCode } from '../model/errors/error-catalogue.ts';
import { formatPosition, type SourcePosition } from '../model/resource.ts';
import { shortened } from '../model/text/text-controls.ts';

/** What is wrong with a manifest, and where. A value: parsing and resolving never throw for what people write. */
export interface ManifestIssue {
  readonly code: ErrorCode;
  readonly message: string;
  readonly position: SourcePosition;
  /** What to do; where absent, the catalogue's hint for the code holds. */
  readonly hint?: string;
}

/** More would hide the first ones; people fix those and check again. */
export const MAX_ISSUES = 200;
/** Longest text of one, names and values of the manifest in it included. */
const MAX_TEXT = 2_000;

/**
 * Issues of a file as they are kept, logged and sent: each of them and all together have a bound, whatever the file holds.
 * The last one says how many there are no words for.
 */
export function boundedIssues<I extends Pick<ManifestIssue, 'message' | 'hint' | 'position'>>(all: readonly I[]): I[] {
  const shown = all.slice(0, MAX_ISSUES).map((issue) => {
    const hint = issue.hint === undefined ? {} : { hint: shortened(issue.hint, MAX_TEXT) };
    return { ...issue, message: shortened(issue.message, MAX_TEXT), ...hint };
  });
  const next = all[MAX_ISSUES];
  if (next === undefined) return shown;
  return [...shown, { ...next, message: `and ${all.length - MAX_ISSUES} more from here on` }];
}

/** Order of the files and of the lines in them. */
export function compareIssues(a: ManifestIssue, b: ManifestIssue): number {
  const files = a.position.file < b.position.file ? -1 : Number(a.position.file > b.position.file);
  return files || a.position.line - b.position.line || a.position.column - b.position.column;
}

/** Longest part of a manifest line that is shown. */
const EXCERPT = 120;

function excerpt(text: string, { line, column }: SourcePosition): string {
  const whole = (text.split('\n', line)[line - 1] ?? '').replace(/[\p{Cc}\p{Bidi_C}]/gu, ' ');
  const start = Math.max(0, column - EXCERPT / 2);
  const shown = start + EXCERPT < whole.length || start > 0 ? whole.slice(start, start + EXCERPT) : whole;
  const number = String(line);
  return `  ${number} | ${shown}\n  ${' '.repeat(number.length)} | ${' '.repeat(column - 1 - start)}^\n`;
}

/**
 * Issues as a person reads them: `file:line:column: message`, the line with a caret below it, and the hint.
 * @param texts content of the files by name; a file that is not there gets no excerpt.
 */
export function formatIssues(issues: readonly ManifestIssue[], texts: ReadonlyMap<string, string> = new Map()): string {
  return [...issues]
    .sort(compareIssues)
    .map((issue) => {
      const text = texts.get(issue.position.file);
      const hint = issue.hint === undefined ? '' : `  ${issue.hint}\n`;
      return `${formatPosition(issue.position)}: ${issue.message}\n${text === undefined ? '' : excerpt(text, issue.position)}${hint}`;
    })
    .join('');
}
