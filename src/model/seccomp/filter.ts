/** From rules to the program that the kernel runs at each system call. */
import { Assembler, type Label } from './assembler.ts';
import type { Alternative, ArchitectureRules, Condition } from './rules.ts';
import { UNKNOWN_CALL, UNLISTED_ARCHITECTURE } from './rules.ts';

/** struct seccomp_data, little-endian: include/uapi/linux/seccomp.h */
const OFFSET = { number: 0, architecture: 4, arguments: 16 } as const;
const X32_BIT = 0x4000_0000;
const NUMBERS_END = 2 ** 32;

/** From a number up to that of the next run, all answered alike. */
interface Run {
  readonly start: number;
  readonly answer: number | readonly Alternative[];
}

/** The numbers of one architecture. @param base added to each. */
function runsOf({ calls, otherwise, newest }: ArchitectureRules, base: number): readonly Run[] {
  const runs: Run[] = [];
  const add = (start: number, answer: Run['answer']): void => {
    if (start >= NUMBERS_END || (typeof answer === 'number' && runs.at(-1)?.answer === answer)) return;
    runs.push({ start, answer });
  };
  const between = (from: number, to: number): void => {
    if (from < to) add(base + from, newest !== null && from > newest ? UNKNOWN_CALL : otherwise);
  };
  let next = 0;
  for (const [number, alternatives] of [...calls].sort(([a], [b]) => a - b)) {
    between(next, number);
    const [only] = alternatives;
    add(base + number, alternatives.length === 1 && only !== undefined ? only.action : alternatives);
    next = number + 1;
    if (number === newest) add(base + next, UNKNOWN_CALL);
  }
  between(next, NUMBERS_END);
  return runs;
}

/** One condition; whatever the accumulator held before is lost. */
function writeCondition(out: Assembler, condition: Condition, yes: Label, no: Label): Label {
  const { index, op, value, mask, narrow } = condition;
  const low = OFFSET.arguments + index * 8;
  const [high32, low32] = [Number(value >> 32n), Number(value & 0xffff_ffffn)];
  if (op === 'MASKED_EQ') {
    const lower = out.load(low, out.and(Number(mask & 0xffff_ffffn), out.when('equal', low32, yes, no)));
    if (narrow || mask >> 32n === 0n) return high32 === 0 ? lower : no;
    return out.load(low + 4, out.and(Number(mask >> 32n), out.when('equal', high32, lower, no)));
  }
  // The rest are two tests, each with its opposite.
  if (op === 'NE') return writeCondition(out, { ...condition, op: 'EQ' }, no, yes);
  if (op === 'LT') return writeCondition(out, { ...condition, op: 'GE' }, no, yes);
  if (op === 'LE') return writeCondition(out, { ...condition, op: 'GT' }, no, yes);
  const test = op === 'EQ' ? 'equal' : op === 'GT' ? 'greater' : 'atLeast';
  if (narrow && high32 !== 0) return no;
  const lower = out.load(low, out.when(test, low32, yes, no));
  if (narrow) return lower;
  const sameAbove = out.when('equal', high32, lower, no);
  return out.load(low + 4, op === 'EQ' ? sameAbove : out.when('greater', high32, yes, sameAbove));
}

function writeAlternatives(out: Assembler, alternatives: readonly Alternative[]): Label {
  return alternatives.reduceRight<Label>((otherwise, { conditions, action }) => {
    if (conditions.length === 0) return out.answer(action);
    return conditions.reduceRight<Label>(
      (holds, condition) => writeCondition(out, condition, holds, otherwise),
      out.answer(action),
    );
  }, 0);
}

/** A tree over the runs; the accumulator holds the number. */
function writeRuns(out: Assembler, runs: readonly Run[]): Label {
  if (runs.length <= 1) {
    const answer = runs[0]?.answer ?? UNKNOWN_CALL;
    return typeof answer === 'number' ? out.answer(answer) : writeAlternatives(out, answer);
  }
  const middle = runs.length >> 1;
  const above = writeRuns(out, runs.slice(middle));
  const below = writeRuns(out, runs.slice(0, middle));
  return out.when('atLeast', (runs[middle] as Run).start, above, below);
}

/** Those that share `arch` of seccomp_data. */
function writeArchitecture(out: Assembler, native: ArchitectureRules, x32: ArchitectureRules | undefined): Label {
  const { audit } = native.architecture;
  const isX86 = audit === 0xc000003e;
  const all = runsOf(native, 0).filter(({ start }) => !isX86 || start < X32_BIT);
  const above: readonly Run[] =
    x32 === undefined ? [{ start: X32_BIT, answer: UNLISTED_ARCHITECTURE }] : runsOf(x32, X32_BIT);
  return writeRuns(out, isX86 ? [...all, ...above] : all);
}

/** @returns an array of struct sock_filter. @throws RangeError for one that no kernel takes. */
export function compileFilter(architectures: readonly ArchitectureRules[]): Buffer {
  const out = new Assembler();
  const x32 = architectures.find(({ architecture }) => architecture.x32);
  let start = out.answer(UNLISTED_ARCHITECTURE);
  // The native one comes first, so it is written last.
  for (const rules of architectures.filter(({ architecture }) => !architecture.x32).reverse()) {
    const numbers = out.load(OFFSET.number, writeArchitecture(out, rules, x32));
    start = out.when('equal', rules.architecture.audit, numbers, start);
  }
  return out.finish(out.load(OFFSET.architecture, start));
}
