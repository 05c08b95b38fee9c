import { formatPosition, type ResourceKey, type SourcePosition } from '../resource.ts';
import { shortened } from '../text/text-controls.ts';
import { classOfErrnoName } from './errno-classes.ts';
import type { ErrorCode } from './error-catalogue.ts';
import { ERROR_CATALOGUE } from './error-catalogue.ts';
import type { ErrorClass } from './error-class.ts';

export interface TsdErrorDetails {
  /** The resource the error is about, where there is one. */
  readonly key?: ResourceKey | undefined;
  /** The line of the manifest that asked for it. */
  readonly source?: SourcePosition | undefined;
  /** The step that failed, in words a person can search for: `mount proc`, `bind 0.0.0.0:80`. */
  readonly step?: string | undefined;
  /** The kernel's errno, positive, when a system call failed. */
  readonly errno?: number | undefined;
  /** What to do next; overrides the catalogue's hint. */
  readonly hint?: string | undefined;
  /** Overrides the class of the catalogue row, for codes whose class depends on errno. */
  readonly class?: ErrorClass | undefined;
  /** The last lines that the container wrote, where its end is the failure. */
  readonly log?: readonly string[] | undefined;
  readonly cause?: unknown;
}

/** Plain JSON form of a {@link TsdError}, as sent to clients and stored in the journal. */
export interface TsdErrorJson {
  readonly code: ErrorCode;
  readonly class: ErrorClass;
  readonly message: string;
  readonly hint: string;
  readonly key?: ResourceKey;
  readonly source?: SourcePosition;
  readonly step?: string;
  readonly errno?: number;
  readonly log?: readonly string[];
}

/** More than any message of ours has; what strangers write may be quoted in it. */
const MAX_MESSAGE = 16 * 1024;

/** Every error a user may meet. `message` says what happened and where; `hint` says what to do. */
export class TsdError extends Error {
  override readonly name = 'TsdError';
  readonly code: ErrorCode;
  readonly class: ErrorClass;
  readonly hint: string;
  readonly key: ResourceKey | undefined;
  readonly source: SourcePosition | undefined;
  readonly step: string | undefined;
  readonly errno: number | undefined;
  readonly log: readonly string[];

  constructor(code: ErrorCode, message: string, details: TsdErrorDetails = {}) {
    super(shortened(message, MAX_MESSAGE), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.class = details.class ?? ERROR_CATALOGUE[code].class;
    this.hint = details.hint ?? ERROR_CATALOGUE[code].hint;
    this.key = details.key;
    this.source = details.source;
    this.step = details.step;
    this.errno = details.errno;
    this.log = details.log ?? [];
  }

  toJSON(): TsdErrorJson {
    return {
      code: this.code,
      class: this.class,
      message: this.message,
      hint: this.hint,
      ...(this.key !== undefined && { key: this.key }),
      ...(this.source !== undefined && { source: this.source }),
      ...(this.step !== undefined && { step: this.step }),
      ...(this.errno !== undefined && { errno: this.errno }),
      ...(this.log.length > 0 && { log: this.log }),
    };
  }

  /** Returns the error with resource and source position added where it has none. */
  withContext(context: {
    key?: ResourceKey | undefined;
    source?: SourcePosition | undefined;
    step?: string;
  }): TsdError {
    return this.#copy(this.hint, context);
  }

  /** The same error, with what to do where that is known better than by its code alone. */
  withHint(hint: string): TsdError {
    return this.#copy(hint, {});
  }

  #copy(hint: string, context: Pick<TsdErrorDetails, 'key' | 'source' | 'step'>): TsdError {
    const copy = new TsdError(this.code, this.message, {
      class: this.class,
      hint,
      key: this.key ?? context.key,
      source: this.source ?? context.source,
      step: this.step ?? context.step,
      errno: this.errno,
      log: this.log,
      cause: this.cause,
    });
    if (this.stack !== undefined) copy.stack = this.stack;
    return copy;
  }
}

/** Codes of Node that tell of a host in trouble, wherever they come from. */
const TROUBLE: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^(ENOSPC|EDQUOT)$/, 'TSD_DISK_FULL'],
  [/^(EIO|EROFS|ESTALE|EUCLEAN|EMFILE|ENFILE|ENOMEM)$/, 'TSD_SYSCALL'],
];

/**
 * Any thrown value as a TsdError. What the kernel answered to a call of Node's has the class of that answer; anything else
 * that tells of no trouble of the host is a defect of ours and says so.
 */
export function toTsdError(thrown: unknown): TsdError {
  if (thrown instanceof TsdError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const { code, errno, syscall } = (thrown ?? {}) as NodeJS.ErrnoException;
  const [, known] = TROUBLE.find(([pattern]) => typeof code === 'string' && pattern.test(code)) ?? [];
  const answered = typeof code === 'string' && typeof errno === 'number' && typeof syscall === 'string';
  const trouble = known ?? (answered ? 'TSD_SYSCALL' : undefined);
  if (trouble)
    return new TsdError(trouble, text, {
      cause: thrown,
      ...(typeof code === 'string' && { class: classOfErrnoName(code, syscall ?? '') }),
      ...(errno !== undefined && { errno: Math.abs(errno) }),
    });
  return new TsdError('TSD_BUG', text === '' ? 'unknown failure' : text, { cause: thrown });
}

/**
 * One line for a person: `file:line:col: message (step)`; without the step where the message has it.
 * @param place null omits the position, when the caller has printed it
 */
export function describeError(error: TsdError, place: SourcePosition | null = error.source ?? null): string {
  const where = place === null ? '' : `${formatPosition(place)}: `;
  const step = error.step && !error.message.includes(error.step) ? ` (${error.step})` : '';
  return `${where}${error.message}${step}`;
}
