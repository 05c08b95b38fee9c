/** Lines of progress as Docker prints them. */

/** An object of a stream; clients write it as a line, or move the one of the same id. */
export type ProgressLine = Readonly<Record<string, unknown>>;

/** Docker keeps its bar in the line for clients that do not draw one. */
const BAR = 50;

export function statusLine(status: string, id?: string): ProgressLine {
  return { status, ...(id !== undefined && { id }) };
}

/** A step of one item, without an amount. */
export const stepLine = (status: string, id: string): ProgressLine => ({ status, progressDetail: {}, id });

export function amountLine(status: string, id: string, current: number, total: number | null): ProgressLine {
  if (total === null || total <= 0) return { status, progressDetail: { current }, progress: sizeText(current), id };
  const done = Math.min(BAR, Math.floor((current / total) * BAR));
  const bar = `[${'='.repeat(done)}${done < BAR ? '>' : ''}${' '.repeat(Math.max(0, BAR - done - 1))}]`;
  const progress = `${bar} ${sizeText(current).padStart(7)}/${sizeText(total)}`;
  return { status, progressDetail: { current, total }, progress, id };
}

/** Sizes in powers of 1000 with four digits, as Docker writes them. */
function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
