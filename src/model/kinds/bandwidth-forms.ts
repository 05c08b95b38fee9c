/** What a container may send and receive. */
import { z } from 'zod';
import { orNull, shortForm, textOrNumber } from './schema-parts.ts';
import { type Parsed, parsed, refused } from './short-forms.ts';

/** Bits a second at each interface; null for no limit. */
export interface Bandwidth {
  readonly ingressBits: number | null;
  readonly egressBits: number | null;
}

/** Decimal, as rates of networks are. */
const UNIT_BITS: ReadonlyMap<string, number> = new Map([
  ['bit', 1],
  ['kbit', 1e3],
  ['mbit', 1e6],
  ['gbit', 1e9],
]);

/** One packet of 1,500 bytes a second and a half. */
const MIN_BITS = 8_000;
const MAX_BITS = 400e9;

/** `10Mbit`, `1.5 Gbit/s`. Result in bits a second. @internal */
export function parseRate(written: string | number): Parsed<number> {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)(?:\/s)?$/i.exec(String(written).trim());
  const unit = match ? UNIT_BITS.get((match[2] ?? '').toLowerCase()) : undefined;
  if (!match || unit === undefined) return refused(`"${written}" is not a rate; write for example 10Mbit`);
  const bits = Math.round(Number(match[1]) * unit);
  if (bits < MIN_BITS) return refused(`"${written}" is too slow; the minimum is 8kbit`);
  return bits <= MAX_BITS ? parsed(bits) : refused(`"${written}" is too fast; the maximum is 400Gbit`);
}

const rate = () => shortForm(textOrNumber(), parseRate);

/** A rate for both directions, or a mapping of one or both. Null where nothing is limited. */
export const bandwidth = orNull(
  z
    .union([rate(), z.strictObject({ ingress: orNull(rate()), egress: orNull(rate()) })], {
      error: 'expected a rate, for example 10Mbit, or a mapping with ingress and egress',
    })
    .transform((written): Bandwidth | null => {
      if (typeof written === 'number') return { ingressBits: written, egressBits: written };
      const { ingress, egress } = written;
      return ingress === null && egress === null ? null : { ingressBits: ingress, egressBits: egress };
    }),
);

/** Bits a second as a manifest writes them: `10Mbit`, without a rest that would be lost. */
export function writtenRate(bits: number): string {
  for (const unit of ['Gbit', 'Mbit', 'kbit']) {
    const size = UNIT_BITS.get(unit.toLowerCase()) ?? 1;
    if (bits >= size && bits % size === 0) return `${bits / size}${unit}`;
  }
  return `${bits}bit`;
}
