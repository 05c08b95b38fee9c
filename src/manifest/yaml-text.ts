/**
 * From text to YAML nodes, with limits: a manifest may come from anyone who may drop a file. Depth and size are checked
 * while tokens arrive, because the composer behind them calls itself for every level.
 */
import { Composer, type Document, Lexer, LineCounter, type ParsedNode, Parser } from 'yaml';
import type { SourcePosition } from '../model/resource.ts';
import type { ManifestIssue } from './issue.ts';
import { MERGE_TAGS } from './plain.ts';

/** Larger than any manifest written by people; etcd's limit for a Kubernetes object is about the same. */
const MAX_BYTES = 1024 ** 2;
/** A manifest of 1 MiB as people write them has about 200,000. */
const MAX_TOKENS = 300_000;
/** Open collections; the deepest field of the schema needs 7. A level takes up to two entries of the parser's stack. */
const MAX_STACK = 64;

export interface YamlText {
  readonly documents: readonly Document.Parsed<ParsedNode>[];
  readonly issues: readonly ManifestIssue[];
  positionAt(offset: number): SourcePosition;
}

type Token = Parameters<Composer['next']>[0];

class Refusal extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

function* boundedTokens(text: string, lines: LineCounter): Generator<Token, void> {
  const parser = new Parser(lines.addNewLine);
  let count = 0;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    count++;
    if (count > MAX_TOKENS) throw new Refusal('the file has too many parts', parser.offset);
    if (parser.stack.length > MAX_STACK) throw new Refusal('the file is nested too deeply', parser.offset);
  }
  yield* parser.end();
}

/** Characters that YAML 1.2 does not allow in a stream (chapter 5.1), other than line breaks and tabs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])/;

function refuseBeforeParsing(text: string): Refusal | null {
  if (Buffer.byteLength(text) > MAX_BYTES) return new Refusal('the file is larger than 1 MiB', 0);
  const forbidden = FORBIDDEN.exec(text);
  if (!forbidden) return null;
  const code = forbidden[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return new Refusal(`the character U+${code} is not allowed in YAML`, forbidden.index);
}

const CONSEQUENCES: ReadonlySet<string> = new Set(['BAD_INDENT', 'BLOCK_AS_IMPLICIT_KEY', 'MULTILINE_IMPLICIT_KEY']);

/**
 * Keeps the first error of a wrongly indented line only: the parser then refuses each line after it. The library has one code
 * for this and for a collection that is not closed, which is a mistake of its own, so its text has to decide.
 */
function withoutConsequences(errors: Document.Parsed['errors']): Document.Parsed['errors'] {
  const first = errors.findIndex(({ message }) => /^All (?:mapping|sequence) items must start/.test(message));
  return first < 0 ? errors : errors.filter(({ code }, index) => index <= first || !CONSEQUENCES.has(code));
}

/**
 * Parses YAML 1.2 with the core schema. Duplicate keys are left to the caller, who knows where they matter.
 * @param mergeTags the tags by which Compose merges files are no mistakes
 */
export function readYaml(text: string, file: string, { mergeTags = false } = {}): YamlText {
  const lines = new LineCounter();
  const positionAt = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const issues: ManifestIssue[] = [];
  const refuse = (message: string, offset: number) =>
    issues.push({ code: 'TSD_MANIFEST_SYNTAX', message, position: positionAt(offset) });

  const early = refuseBeforeParsing(text);
  if (early) {
    lines.addNewLine(0);
    for (const newline of text.slice(0, early.offset).matchAll(/\n/g)) lines.addNewLine(newline.index + 1);
    refuse(early.message, early.offset);
    return { documents: [], issues, positionAt };
  }
  const documents: Document.Parsed<ParsedNode>[] = [];
  const composer = new Composer({ version: '1.2', schema: 'core', stringKeys: true, uniqueKeys: false, merge: false });
  try {
    for (const document of composer.compose(boundedTokens(text, lines), false))
      documents.push(document as Document.Parsed<ParsedNode>);
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    refuse(thrown.message, thrown.offset);
    return { documents: [], issues, positionAt };
  }
  for (const document of documents) {
    if (document.directives?.yaml.version === '1.1')
      refuse('YAML 1.1 is not supported; remove the %YAML line', document.range[0]);
    for (const problem of [...withoutConsequences(document.errors), ...document.warnings]) {
      const isTag = problem.code === 'TAG_RESOLVE_FAILED';
      if (mergeTags && isTag && MERGE_TAGS.has(text.slice(problem.pos[0], problem.pos[1]))) continue;
      refuse(problem.message, problem.pos[0]);
    }
  }
  return { documents, issues, positionAt };
}
