/** Errors as they cross HTTP: a status by class, and TsdErrorJson as the body. */

import type { ErrorClass } from '../model/errors/error-class.ts';
import { ERROR_CLASSES } from '../model/errors/error-class.ts';
import type { TsdErrorJson } from '../model/errors/errors.ts';
import { TsdError } from '../model/errors/errors.ts';

const STATUS_OF_CLASS = {
  invalid: 400,
  denied: 403,
  'not-found': 404,
  'already-exists': 409,
  conflict: 409,
  precondition: 409,
  'data-loss': 409,
  bug: 500,
  unsupported: 501,
  unavailable: 503,
  timeout: 504,
  exhausted: 507,
} as const satisfies Record<ErrorClass, number>;

export function statusOf(error: TsdError): number {
  return STATUS_OF_CLASS[error.class];
}

/** A request that fails before it reaches the supervisor, with a status more exact than its class has. */
export class RequestError extends TsdError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('TSD_BAD_REQUEST', message, {
      hint: 'The commands of `tsdocker` speak this API; `tsdocker version` shows whether both sides are of one version.',
    });
    this.status = status;
  }
}

/** The error that the Docker API sent, or null when the value is not one. */
export function errorOfDocker(status: number, value: unknown): TsdError | null {
  if (typeof value !== 'object' || value === null || !('message' in value)) return null;
  const found = ERROR_CLASSES.find((known) => STATUS_OF_CLASS[known] === status);
  return new TsdError('TSD_BAD_REQUEST', String(value.message), { class: found ?? 'bug', hint: '' });
}

/** The error a peer sent, or null when the value is not one. */
export function errorFromJson(value: unknown): TsdError | null {
  if (typeof value !== 'object' || value === null) return null;
  const json = value as Partial<TsdErrorJson>;
  if (typeof json.code !== 'string' || typeof json.message !== 'string') return null;
  return new TsdError(json.code, json.message, {
    class: ERROR_CLASSES.find((known) => known === json.class) ?? 'bug',
    hint: typeof json.hint === 'string' ? json.hint : '',
    key: json.key,
    source: json.source,
    step: json.step,
    errno: json.errno,
    log: Array.isArray(json.log) ? json.log.map(String) : [],
  });
}
