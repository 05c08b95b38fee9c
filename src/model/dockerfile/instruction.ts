/** Instructions of a Dockerfile with everything checked that can be before the build begins. */
import { closest } from '../text/suggest.ts';
import { type DockerfilePlace, dockerfileError } from './place.ts';
import { type Heredoc, parseOne, type RawInstruction } from './syntax.ts';

/** Flags that each instruction takes. */
const FLAGS = {
  ADD: ['chown', 'chmod', 'checksum', 'exclude', 'link', 'keep-git-dir', 'unpack'],
  ARG: [],
  CMD: [],
  COPY: ['from', 'chown', 'chmod', 'exclude', 'link', 'parents'],
  ENTRYPOINT: [],
  ENV: [],
  EXPOSE: [],
  FROM: ['platform'],
  HEALTHCHECK: ['interval', 'timeout', 'start-period', 'start-interval', 'retries'],
  LABEL: [],
  MAINTAINER: [],
  ONBUILD: [],
  RUN: ['mount', 'network', 'security'],
  SHELL: [],
  STOPSIGNAL: [],
  USER: [],
  VOLUME: [],
  WORKDIR: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Keyword = keyof typeof FLAGS;
/** Flags that may be given without a value. */
const SWITCHES: ReadonlySet<string> = new Set(['link', 'parents', 'keep-git-dir', 'unpack']);
const REPEATABLE: ReadonlySet<string> = new Set(['mount', 'exclude']);

export interface Instruction {
  readonly keyword: Keyword;
  /** Values as written, quotes included, by flag. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** What follows the flags, on one line. */
  readonly rest: string;
  /** The exec form; null where it is none. */
  readonly json: readonly string[] | null;
  /** What a shell gets: `rest` with the here-documents. */
  readonly script: string;
  readonly heredocs: readonly Heredoc[];
  readonly place: DockerfilePlace;
}

const isKeyword = (text: string): text is Keyword => Object.hasOwn(FLAGS, text);

const FLAG = /^--([A-Za-z][A-Za-z-]*)(=((?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])*))?(?:\s+|$)/s;

/** @throws TSD_DOCKERFILE for what no build could carry out. */
export function readInstruction(raw: RawInstruction): Instruction {
  const { keyword, place } = raw;
  if (!isKeyword(keyword)) {
    const near = closest(keyword, Object.keys(FLAGS));
    const hint = near === undefined ? undefined : `Did you mean ${near}?`;
    throw dockerfileError(place, `${keyword} is no instruction`, { hint });
  }
  const { flags, rest } = readFlags(keyword, raw);
  const script = raw.script.slice(raw.rest.length - rest.length);
  const json = readJson(rest);
  const instruction: Instruction = { keyword, flags, rest, json, script, heredocs: raw.heredocs, place };
  check(instruction);
  return instruction;
}

function readFlags(keyword: Keyword, { rest, place }: RawInstruction): Pick<Instruction, 'flags' | 'rest'> {
  const allowed: readonly string[] = FLAGS[keyword];
  const flags = new Map<string, readonly string[]>();
  if (allowed.length === 0) return { flags, rest };
  let left = rest;
  for (let match = FLAG.exec(left); match !== null; match = FLAG.exec(left)) {
    const [whole, name = '', given, value = ''] = match;
    const known = allowed.length === 1 ? `--${allowed[0]}` : allowed.map((flag) => `--${flag}`).join(', ');
    if (!allowed.includes(name)) throw dockerfileError(place, `${keyword} has no flag --${name}; there are ${known}`);
    if (given === undefined && !SWITCHES.has(name)) throw dockerfileError(place, `--${name} needs a value`);
    const before = flags.get(name) ?? [];
    if (before.length > 0 && !REPEATABLE.has(name)) throw dockerfileError(place, `--${name} is given twice`);
    flags.set(name, [...before, given === undefined ? 'true' : value]);
    left = left.slice(whole.length);
  }
  return { flags, rest: left };
}

function readJson(text: string): readonly string[] | null {
  if (!text.startsWith('[')) return null;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;
  } catch {
    return null;
  }
}

/** Instructions that mean something without an argument. */
const MAY_BE_EMPTY: ReadonlySet<Keyword> = new Set(['CMD', 'ENTRYPOINT']);
const NO_TRIGGER = ['ONBUILD', 'FROM', 'MAINTAINER'];

function check(instruction: Instruction): void {
  const { keyword, rest, json, place } = instruction;
  const refuse = (problem: string, hint?: string): never => {
    throw dockerfileError(place, problem, hint === undefined ? {} : { hint });
  };
  if (rest === '' && !MAY_BE_EMPTY.has(keyword)) refuse(`${keyword} needs an argument`);
  if (keyword === 'SHELL' && (json === null || json.length === 0)) refuse('SHELL needs a JSON array of texts');
  if (keyword === 'RUN' && json !== null && json.length === 0) refuse('RUN needs a command');
  if (keyword === 'ADD' || keyword === 'COPY') checkCopy(instruction, refuse);
  if (keyword === 'HEALTHCHECK' && !/^(NONE$|CMD(\s|$))/i.test(rest))
    refuse('HEALTHCHECK is NONE or CMD and a command');
  if (keyword === 'ONBUILD') {
    const inner = readInstruction(parseOne(instruction.script, place));
    if (NO_TRIGGER.includes(inner.keyword)) refuse(`${inner.keyword} cannot be an ONBUILD trigger`);
  }
}

function checkCopy({ keyword, rest, json, flags, heredocs }: Instruction, refuse: (problem: string) => never): void {
  const words = json ?? rest.split(/\s+/);
  if (words.length < 2) refuse(`${keyword} needs at least one source and a destination`);
  if (heredocs.length > 0 && flags.has('from')) refuse('a here-document has no --from');
}
