/** Tables of what the keys of a section become. */
import type { SourcePosition } from '../../../model/resource.ts';
import type { Entry, Unit } from './unit-file.ts';

/** What becomes of a key: a translation, or why there is none. */
type KeyRule<T> = ((entry: Entry, target: T) => void) | 'later' | `no meaning: ${string}`;
export type KeyTable<T> = Readonly<Record<string, KeyRule<T>>>;

interface Report {
  warn(position: SourcePosition, message: string): void;
  later(position: SourcePosition, what: string): void;
}

/** Translates the keys of a section; what the table does not know is reported. */
export function applyKeys<T>(unit: Unit, section: string, table: KeyTable<T>, target: T, report: Report): void {
  for (const entry of unit.entries) {
    if (entry.section !== section) continue;
    const rule = Object.hasOwn(table, entry.key) ? table[entry.key] : undefined;
    if (typeof rule === 'function') rule(entry, target);
    else if (rule === 'later') report.later(entry.at, entry.key);
    else if (rule) report.warn(entry.at, `${entry.key}: ${rule.slice('no meaning: '.length)}`);
    else report.warn(entry.at, `unknown key ${JSON.stringify(entry.key.slice(0, 80))} in [${section}] is left out`);
  }
}

const OURS = ['Container', 'Pod', 'Volume', 'Network', 'Image', 'Build', 'Kube', 'Unit', 'Service', 'Install'];

/** Sections that belong to no unit of this type; those that start with X- are for other tools by systemd's own rule. */
export function reportOtherSections(unit: Unit, own: readonly string[], report: Report): void {
  const seen = new Set<string>();
  for (const { section, at } of unit.entries) {
    if (own.includes(section) || section.startsWith('X-') || seen.has(section)) continue;
    seen.add(section);
    const known = OURS.includes(section) ? 'does not belong into this unit and' : 'is not known and';
    report.warn(at, `[${section.slice(0, 40)}] ${known} is left out`);
  }
}
