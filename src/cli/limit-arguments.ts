/** Limits as Docker's options take them. */
import { parseBytes } from '../model/kinds/short-forms.ts';
import { InvalidArgumentError } from './command-line/command.ts';

export function bytesArgument(text: string): number {
  // Docker's units without the i are powers of 1024, too.
  const parsed = parseBytes(
    text.replace(/^(\d+(?:\.\d+)?)([kmgt])b?$/i, (_, n, unit) => `${n}${unit.toUpperCase()}iB`),
  );
  if (!parsed.ok) throw new InvalidArgumentError(parsed.message);
  return parsed.value;
}

/** -1 is no limit. */
export function bytesOrNoneArgument(text: string): number {
  return text === '-1' ? -1 : bytesArgument(text);
}

export function numberArgument(text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) throw new InvalidArgumentError('write a number.');
  return value;
}

const NANO = 1e9;

/** Processors as the Docker API counts them. */
export const nanoCpus = (cpus: number): number => Math.round(cpus * NANO);

export function restartOf(text: string): { Name: string; MaximumRetryCount: number } {
  const [name = 'no', max = '0'] = text.split(':');
  return { Name: name, MaximumRetryCount: Number(max) };
}
