/**
 * A Dockerfile's text as instructions. Where an instruction begins and ends, here-documents and parser directives are
 * found by dockerfile-ast, the parser of the Dockerfile language server. It is made for editors and keeps comments inside
 * continued lines, so the text that counts is put together here as the Dockerfile reference says.
 */
import { DockerfileParser, type Instruction, type Heredoc as ParsedHeredoc } from 'dockerfile-ast';
import { type DockerfilePlace, dockerfileError } from './place.ts';

export interface Heredoc {
  readonly name: string;
  readonly content: string;
  /** False where the name was quoted: variables stay as they are. */
  readonly expand: boolean;
  /** `<<-`: leading tabs were taken away. */
  readonly stripped: boolean;
}

export interface RawInstruction {
  /** Upper case. */
  readonly keyword: string;
  /** What follows the keyword, on one line: without continuations and comments; of here-documents the first line only. */
  readonly rest: string;
  /** `rest` with the here-documents as they stand, for a shell. */
  readonly script: string;
  readonly heredocs: readonly Heredoc[];
  readonly place: DockerfilePlace;
}

export interface DockerfileText {
  readonly instructions: readonly RawInstruction[];
  readonly escapeCharacter: '\\' | '`';
}

const MAX_BYTES = 1024 * 1024;
const MAX_HEREDOC_LINE = 32 * 1024;
/** More than an instruction has, one after the other. */
const MAX_FLAGS = 256;
const WITH_HEREDOCS: ReadonlySet<string> = new Set(['ADD', 'COPY', 'ONBUILD', 'RUN']);
const isComment = (line: string): boolean => /^\s*#/.test(line);

/** @param file as shown in messages. @throws TSD_DOCKERFILE. */
export function parseSyntax(text: string, file: string): DockerfileText {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  const nowhere = { file, line: 1, source: lines[0] ?? '' };
  if (text.length > MAX_BYTES) throw dockerfileError(nowhere, `is larger than ${MAX_BYTES} bytes`);
  if (hasManyFlags(text)) throw dockerfileError(nowhere, `there are more than ${MAX_FLAGS} flags one after the other`);
  const parsed = DockerfileParser.parse(lines.join('\n'));
  const escapeCharacter = parsed.getEscapeCharacter() === '`' ? '`' : '\\';
  const instructions = parsed.getInstructions().map((instruction): RawInstruction => {
    const { start, end } = instruction.getRange();
    const heredocs = heredocsOf(instruction, lines, escapeCharacter, file);
    const stop = heredocs.firstLine ?? end.line + 1;
    const place = { file, line: start.line + 1, source: lines.slice(start.line, end.line + 1).join('\n') };
    const logical = joinLines(lines.slice(start.line, stop), escapeCharacter).trim();
    const [, keyword = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(logical) ?? [];
    if (heredocs.unterminated !== null) {
      throw dockerfileError(place, `the here-document <<${heredocs.unterminated} is not ended`);
    }
    const body = lines.slice(stop, end.line + 1).join('\n');
    const script = heredocs.found.length === 0 ? rest : `${rest}\n${body}`;
    return { keyword: keyword.toUpperCase(), rest, script, heredocs: heredocs.found, place };
  });
  if (instructions.length === 0) throw dockerfileError(nowhere, 'the file has no instructions');
  return { instructions, escapeCharacter };
}

/** The parser takes them off one by one, each time moving all that are left. */
function hasManyFlags(text: string): boolean {
  let count = 0;
  for (const [word] of text.matchAll(/[^\s]+/g)) {
    if (word.startsWith('--')) count += 1;
    // Continued lines.
    else if (word !== '\\' && word !== '`') count = 0;
    if (count > MAX_FLAGS) return true;
  }
  return false;
}

/** Parses one instruction that is not in a file: an ONBUILD trigger, a --change. */
export function parseOne(text: string, place: DockerfilePlace): RawInstruction {
  const { instructions } = parseSyntax(text, place.file);
  const [instruction] = instructions;
  if (instruction === undefined || instructions.length > 1) throw dockerfileError(place, `one instruction is expected`);
  return { ...instruction, place };
}

/** Continued lines as one; comments and empty lines between them do not count. */
function joinLines(lines: readonly string[], escapeCharacter: string): string {
  const continuation = escapeCharacter === '`' ? /`[ \t]*$/ : /\\[ \t]*$/;
  let joined = '';
  for (const [index, line] of lines.entries()) {
    if (index > 0 && (isComment(line) || line.trim() === '')) continue;
    joined += line.replace(continuation, '');
    if (!continuation.test(line)) break;
  }
  return joined;
}

interface FoundHeredocs {
  readonly found: readonly Heredoc[];
  /** Index of the line after the instruction's own; null without here-documents. */
  readonly firstLine: number | null;
  readonly unterminated: string | null;
}

const NO_HEREDOCS: FoundHeredocs = { found: [], firstLine: null, unterminated: null };

/** Null where dockerfile-ast loses its way: names with quotes that are not closed, and the like. */
function parsedHeredocs(instruction: Instruction): readonly ParsedHeredoc[] | null {
  // It has this for all of these instructions and declares it for some.
  const { getHeredocs } = instruction as unknown as { getHeredocs(): ParsedHeredoc[] };
  try {
    return getHeredocs.call(instruction);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function heredocsOf(
  instruction: Instruction,
  lines: readonly string[],
  escapeCharacter: DockerfileText['escapeCharacter'],
  file: string,
): FoundHeredocs {
  const { start: from, end: to } = instruction.getRange();
  // The parser of here-documents takes a time that grows with the square of what it reads.
  const logical = joinLines(lines.slice(from.line, to.line + 1), escapeCharacter);
  if (!logical.includes('<<')) return NO_HEREDOCS;
  if (logical.length > MAX_HEREDOC_LINE) {
    const place = { file, line: from.line + 1, source: lines[from.line] ?? '' };
    throw dockerfileError(place, `a line with here-documents is longer than ${MAX_HEREDOC_LINE} characters`);
  }
  const list = WITH_HEREDOCS.has(instruction.getKeyword()) ? parsedHeredocs(instruction) : [];
  if (list === null) {
    const place = { file, line: from.line + 1, source: lines.slice(from.line, to.line + 1).join('\n') };
    throw dockerfileError(place, 'the here-documents of this line cannot be told apart');
  }
  const real = list.filter((heredoc) => heredoc.getName() !== '');
  if (real.length === 0) return NO_HEREDOCS;
  const found: Heredoc[] = [];
  const startLine = real[0]?.getStartRange().start.line ?? 0;
  let next = startLine + 1;
  for (const heredoc of real) {
    const name = heredoc.getName();
    const delimiter = heredoc.getDelimiterRange();
    if (delimiter === null || delimiter === undefined) return { found, firstLine: startLine + 1, unterminated: name };
    const { start, end } = heredoc.getStartRange();
    const operator = (lines[start.line] ?? '').slice(start.character, end.character);
    const stripped = operator.startsWith('<<-');
    const body = lines.slice(next, delimiter.start.line).map((line) => (stripped ? line.replace(/^\t+/, '') : line));
    const content = body.map((line) => `${line}\n`).join('');
    found.push({ name, content, expand: !/["']/.test(operator), stripped });
    next = delimiter.start.line + 1;
  }
  return { found, firstLine: startLine + 1, unterminated: null };
}
