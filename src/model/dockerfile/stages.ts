/** The stages of a Dockerfile and what each needs. Pure. */

import { own } from '../own.ts';
import { Expander } from './expand.ts';
import { type Instruction, readInstruction } from './instruction.ts';
import { dockerfileError } from './place.ts';
import { type DockerfileText, parseSyntax } from './syntax.ts';

export interface Stage {
  /** From 0, in the order of the file. */
  readonly index: number;
  /** After AS, lower case; null without. */
  readonly name: string | null;
  readonly from: Instruction;
  /** Image as written after FROM, with the global arguments put in. */
  readonly base: string;
  readonly platform: string | null;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly escapeCharacter: DockerfileText['escapeCharacter'];
  /** Arguments declared before the first FROM, with the values they have for this build. */
  readonly globalArgs: ReadonlyMap<string, string>;
  readonly stages: readonly Stage[];
}

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

/** More than people write: each is compared with those before it. */
const MAX_STAGES = 1_000;

/**
 * @param given build arguments of the command line or manifest.
 * @param platform values of the arguments that are always there: TARGETARCH and the like.
 * @throws TSD_DOCKERFILE with the first thing that is wrong.
 */
export function readDockerfile(
  text: string,
  file: string,
  given: Readonly<Record<string, string>>,
  platform: Readonly<Record<string, string>>,
): Dockerfile {
  const syntax = parseSyntax(text, file);
  const instructions = syntax.instructions.map(readInstruction);
  const firstFrom = instructions.findIndex(({ keyword }) => keyword === 'FROM');
  const before = firstFrom < 0 ? instructions : instructions.slice(0, firstFrom);
  const globalArgs = readGlobalArgs(before, syntax.escapeCharacter, given, platform);
  const stages: Stage[] = [];
  const blocks: Instruction[][] = [];
  for (const instruction of instructions.slice(before.length)) {
    if (instruction.keyword === 'FROM') blocks.push([]);
    if (blocks.length > MAX_STAGES)
      throw dockerfileError(instruction.place, `there are more than ${MAX_STAGES} stages`);
    blocks.at(-1)?.push(instruction);
  }
  for (const [index, [from, ...rest]] of blocks.entries()) {
    if (from === undefined) continue;
    const expander = new Expander(syntax.escapeCharacter, (name) => globalArgs.get(name) ?? own(platform, name));
    stages.push({ index, from, instructions: rest, ...readFrom(from, expander, stages) });
  }
  const last = instructions.at(-1);
  if (stages.length === 0 && last) throw dockerfileError(last.place, 'there is no FROM instruction');
  return { escapeCharacter: syntax.escapeCharacter, globalArgs, stages };
}

function readGlobalArgs(
  instructions: readonly Instruction[],
  escapeCharacter: DockerfileText['escapeCharacter'],
  given: Readonly<Record<string, string>>,
  platform: Readonly<Record<string, string>>,
): Map<string, string> {
  const values = new Map<string, string>();
  for (const instruction of instructions) {
    if (instruction.keyword !== 'ARG') {
      throw dockerfileError(instruction.place, `${instruction.keyword} is before the first FROM; only ARG may be`);
    }
    const expander = new Expander(escapeCharacter, (key) => values.get(key) ?? own(platform, key));
    for (const { name, value } of readArgs(instruction, expander)) {
      const known = own(given, name) ?? value ?? own(platform, name);
      if (known !== undefined) values.set(name, known);
    }
  }
  return values;
}

export interface DeclaredArg {
  readonly name: string;
  /** Null: declared without a default. */
  readonly value: string | null;
}

/** `ARG a b=c`. */
export function readArgs({ rest, place }: Instruction, expander: Expander): DeclaredArg[] {
  return expander.words(rest, place).map((word) => {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (!/^[A-Za-z_][\w.-]*$/.test(name))
      throw dockerfileError(place, `${JSON.stringify(name)} is no name of an argument`);
    return { name, value: equals < 0 ? null : word.slice(equals + 1) };
  });
}

function readFrom(
  { rest, flags, place }: Instruction,
  expander: Expander,
  earlier: readonly Stage[],
): Pick<Stage, 'name' | 'base' | 'platform'> {
  const [base = '', as, name, ...more] = expander.words(rest, place);
  if (base === '') throw dockerfileError(place, `FROM ${rest} names no image: a variable in it is empty`);
  if ((as !== undefined && as.toUpperCase() !== 'AS') || more.length > 0 || (as !== undefined && name === undefined)) {
    throw dockerfileError(place, 'FROM is written FROM image or FROM image AS name');
  }
  const stage = name?.toLowerCase() ?? null;
  if (stage !== null && (!STAGE_NAME.test(stage) || stage === 'scratch' || stage === 'context')) {
    throw dockerfileError(place, `${name} cannot be the name of a stage`);
  }
  if (stage !== null && earlier.some((other) => other.name === stage)) {
    throw dockerfileError(place, `there is already a stage ${name}`);
  }
  const [platform] = flags.get('platform') ?? [];
  return {
    name: stage,
    base,
    platform: platform === undefined ? null : expander.word(platform, place) || null,
  };
}

/**
 * The stage that a name or number of `--from`, `--target` or FROM means.
 * @param before only stages that come before this index.
 */
export function findStage({ stages }: Pick<Dockerfile, 'stages'>, text: string, before: number): Stage | undefined {
  const named = stages.find(({ name, index }) => name === text.toLowerCase() && index < before);
  if (named !== undefined || !/^\d+$/.test(text)) return named;
  const index = Number(text);
  return index < before ? stages[index] : undefined;
}

/** The stage to build. @throws TSD_DOCKERFILE when there is none of this name. */
export function targetStage(dockerfile: Dockerfile, target: string | null): Stage {
  const last = dockerfile.stages.at(-1) as Stage;
  if (target === null) return last;
  const found = findStage(dockerfile, target, dockerfile.stages.length);
  if (found !== undefined) return found;
  const names = dockerfile.stages.map(({ name, index }) => name ?? String(index)).join(', ');
  throw dockerfileError(last.from.place, `there is no stage ${target}; there are ${names}`);
}
