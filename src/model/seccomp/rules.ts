/** What a profile means for one container on one machine: for each number of each architecture, what is answered when. */
import { ACTIONS, actionWord, compareStrictness, ENOSYS, EPERM, letsThrough } from './actions.ts';
import { type Architecture, isIntArgument, type Machine } from './architectures.ts';
import {
  type Operator,
  operatorOf,
  type ProfileArgument,
  type ProfileConditions,
  type ProfileRule,
  type SeccompProfile,
} from './profile.ts';

export interface FilterContext {
  readonly machine: Machine;
  /** What the container may ever have, names without CAP_. */
  readonly capabilities: ReadonlySet<string>;
  /** Version of the kernel: 6.12. */
  readonly kernel: readonly [major: number, minor: number];
}

export interface Condition {
  readonly index: number;
  readonly op: Operator;
  /** The datum; with MASKED_EQ what is left of the argument under `mask`. */
  readonly value: bigint;
  readonly mask: bigint;
  /** Looks at the lower 32 bits only. */
  readonly narrow: boolean;
}

export interface Alternative {
  /** All of them have to hold; none always do. */
  readonly conditions: readonly Condition[];
  readonly action: number;
}

export interface ArchitectureRules {
  readonly architecture: Architecture;
  /** By number; the strictest first. The last one has no condition. */
  readonly calls: ReadonlyMap<number, readonly Alternative[]>;
  readonly otherwise: number;
  /** Numbers above this one are of calls that the profile's author cannot have known; null where they get `otherwise`. */
  readonly newest: number | null;
}

export const UNKNOWN_CALL = ACTIONS.SCMP_ACT_ERRNO + ENOSYS;
export const UNLISTED_ARCHITECTURE = ACTIONS.SCMP_ACT_KILL_PROCESS;

/** Calls of ARM's kernel alone, far above the others. */
const ARM_PRIVATE = 0xf0000;

function atLeast([major, minor]: FilterContext['kernel'], wanted: string): boolean {
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

const holds = ({ capabilities }: FilterContext, name: string): boolean => capabilities.has(name.slice('CAP_'.length));

function isIncluded(wanted: ProfileConditions, context: FilterContext): boolean {
  const { caps, arches, minKernel } = wanted;
  if (arches?.length && !arches.includes(context.machine.name)) return false;
  if (minKernel && !atLeast(context.kernel, minKernel)) return false;
  return (caps ?? []).every((name) => holds(context, name));
}

function isExcluded(unwanted: ProfileConditions, context: FilterContext): boolean {
  const { caps, arches, minKernel } = unwanted;
  if (arches?.includes(context.machine.name)) return true;
  if (minKernel && atLeast(context.kernel, minKernel)) return true;
  return (caps ?? []).some((name) => holds(context, name));
}

/** @internal */
export function applies({ includes, excludes }: ProfileRule, context: FilterContext): boolean {
  return (!includes || isIncluded(includes, context)) && !(excludes && isExcluded(excludes, context));
}

/** The native one always; Docker's form says by the native one what goes with it. */
function architecturesOf({ architectures, archMap }: SeccompProfile, machine: Machine): readonly Architecture[] {
  const named = new Set([
    ...(architectures ?? []),
    ...(archMap ?? [])
      .filter(({ architecture }) => architecture === machine.native.name)
      .flatMap(({ subArchitectures }) => subArchitectures ?? []),
  ]);
  return [machine.native, ...machine.others.filter(({ name }) => named.has(name))];
}

const LOW = 0xffff_ffffn;

function conditionOf(argument: ProfileArgument, name: string, { narrow: allNarrow }: Architecture): Condition {
  const { index } = argument;
  const op = operatorOf(argument);
  const isMasked = op === 'MASKED_EQ';
  const value = BigInt((isMasked ? argument.valueTwo : argument.value) ?? 0);
  const mask = isMasked ? BigInt(argument.value) : (LOW << 32n) | LOW;
  const narrow = allNarrow || isIntArgument(name, index);
  return narrow
    ? { index, op, value: op === 'EQ' || op === 'NE' || isMasked ? value & LOW : value, mask: mask & LOW, narrow }
    : { index, op, value, mask, narrow };
}

/** One argument named twice makes each condition a rule of its own, as runc and crun have it. */
function conjunctions(rule: ProfileRule): readonly (readonly ProfileArgument[])[] {
  const args = rule.args ?? [];
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length;
  return isRepeated ? args.map((argument) => [argument]) : [args];
}

class Collector {
  readonly #architecture: Architecture;
  readonly #calls = new Map<number, Alternative[]>();
  #newest = -1;

  constructor(architecture: Architecture) {
    this.#architecture = architecture;
  }

  add(name: string, rule: ProfileRule, action: number): void {
    const { numbers, multiplexed } = this.#architecture;
    // A name that this table lacks is of another machine, or newer than the table: then the number is refused as unknown.
    const number = numbers.get(name);
    for (const args of conjunctions(rule)) {
      const conditions = args.map((argument) => conditionOf(argument, name, this.#architecture));
      if (number !== undefined) this.#push(number, { conditions, action });
      const other = multiplexed.get(name);
      const through = other && numbers.get(other.by);
      // What it does with its arguments lies behind a pointer, where no filter can look.
      if (other === undefined || through === undefined || args.length > 0) continue;
      const mask = other.by === 'ipc' ? 0xffffn : LOW;
      const condition: Condition = { index: 0, op: 'MASKED_EQ', value: BigInt(other.call), mask, narrow: true };
      this.#push(through, { conditions: [condition], action });
    }
  }

  finish(otherwise: number): ArchitectureRules {
    const calls = new Map(
      [...this.#calls].map(([number, alternatives]) => [number, arranged(alternatives, otherwise)] as const),
    );
    return {
      architecture: this.#architecture,
      calls,
      otherwise,
      newest: this.#newest < 0 || letsThrough(otherwise) ? null : this.#newest,
    };
  }

  #push(number: number, alternative: Alternative): void {
    const known = this.#calls.get(number);
    if (known === undefined) this.#calls.set(number, [alternative]);
    else known.push(alternative);
    if (number < ARM_PRIVATE) this.#newest = Math.max(this.#newest, number);
  }
}

/** Of several that hold the strictest counts, as with several filters; what comes after one that always holds never counts. */
function arranged(alternatives: readonly Alternative[], otherwise: number): readonly Alternative[] {
  const sorted = [...alternatives].sort(
    (a, b) => compareStrictness(a.action, b.action) || Math.sign(a.conditions.length) - Math.sign(b.conditions.length),
  );
  const end = sorted.findIndex(({ conditions }) => conditions.length === 0);
  const counting = end < 0 ? [...sorted, { conditions: [], action: otherwise }] : sorted.slice(0, end + 1);
  const last = counting.at(-1) as Alternative;
  // Conditions that lead to what follows anyway.
  let kept = counting.slice(0, -1);
  while (kept.at(-1)?.action === last.action) kept = kept.slice(0, -1);
  return [...kept, last];
}

export function rulesOf(profile: SeccompProfile, context: FilterContext): readonly ArchitectureRules[] {
  const otherwise = actionWord(profile.defaultAction, profile.defaultErrnoRet ?? EPERM);
  const counting = (profile.syscalls ?? []).filter((rule) => applies(rule, context));
  return architecturesOf(profile, context.machine).map((architecture) => {
    const collector = new Collector(architecture);
    for (const rule of counting) {
      const action = actionWord(rule.action, rule.errnoRet ?? EPERM);
      for (const name of rule.names ?? []) collector.add(name, rule, action);
      if (rule.name) collector.add(rule.name, rule, action);
    }
    return collector.finish(otherwise);
  });
}

function isMet({ index, op, value, mask, narrow }: Condition, args: readonly bigint[]): boolean {
  const argument = (args[index] ?? 0n) & (narrow ? LOW : -1n) & (op === 'MASKED_EQ' ? mask : -1n);
  switch (op) {
    case 'NE':
      return argument !== value;
    case 'LT':
      return argument < value;
    case 'LE':
      return argument <= value;
    case 'GE':
      return argument >= value;
    case 'GT':
      return argument > value;
    default:
      return argument === value;
  }
}

/** What a call is answered, without bit 30 of x32. @param args as unsigned words of 64 bits. */
export function answerOf(rules: ArchitectureRules, number: number, args: readonly bigint[]): number {
  const alternatives = rules.calls.get(number);
  if (alternatives === undefined) {
    return rules.newest !== null && number > rules.newest ? UNKNOWN_CALL : rules.otherwise;
  }
  const found = alternatives.find(({ conditions }) => conditions.every((condition) => isMet(condition, args)));
  return (found as Alternative).action;
}
