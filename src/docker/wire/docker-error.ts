/** Errors as Docker's clients get them: a status, and `{"message": …}`. */
import { statusOf } from '../../api/http-errors.ts';
import type { TsdError } from '../../model/errors/errors.ts';

/** An error whose status and words clients of Docker know. */
export class DockerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface ErrorAnswer {
  readonly status: number;
  readonly message: string;
}

/** Docker has no place for a hint: it follows the message. */
export function answerOf(error: DockerError | TsdError): ErrorAnswer {
  if (error instanceof DockerError) return { status: error.status, message: error.message };
  return { status: statusOf(error), message: error.hint === '' ? error.message : `${error.message}. ${error.hint}` };
}
