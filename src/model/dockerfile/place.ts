import { TsdError, type TsdErrorDetails } from '../errors/errors.ts';
import { shortened } from '../text/text-controls.ts';

/** The position of an instruction. */
export interface DockerfilePlace {
  /** As shown in messages. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The text of the instruction as written. */
  readonly source: string;
}

const MAX_SOURCE_LINES = 8;
const MAX_SOURCE_COLUMNS = 200;
const MAX_PROBLEM = 1_000;

/** The instruction's lines with their numbers, as messages show them. */
export function sourceLines({ line, source }: DockerfilePlace): string {
  const lines = source.split('\n');
  const shown = lines
    .slice(0, MAX_SOURCE_LINES)
    .map((text, index) => `${String(line + index).padStart(5)} | ${shortened(text, MAX_SOURCE_COLUMNS)}`);
  const more = lines.length > MAX_SOURCE_LINES ? [`      | … ${lines.length - MAX_SOURCE_LINES} more lines`] : [];
  return [...shown, ...more].join('\n');
}

/** A Dockerfile that cannot be built as it is written: the message ends with the instruction. */
export function dockerfileError(place: DockerfilePlace, problem: string, details: TsdErrorDetails = {}): TsdError {
  return new TsdError('TSD_DOCKERFILE', `${shortened(problem, MAX_PROBLEM)}\n${sourceLines(place)}`, {
    source: { file: place.file, line: place.line, column: 1 },
    ...details,
  });
}
