/** What a registry's status codes and error bodies mean. */
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { type HttpResponse, readAnswer } from './http.ts';

/** Error bodies are for people: a longer one is no message. */
const MAX_ERROR_BYTES = 64 * 1024;
const MAX_MESSAGE = 300;

const bodySchema = z.object({
  errors: z.array(z.object({ code: z.string().nullish(), message: z.string().nullish() })).min(1),
});

function messageOf(body: string): string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return '';
  }
  const parsed = bodySchema.safeParse(value);
  if (!parsed.success) return '';
  const text = parsed.data.errors.map(({ code, message }) => message || code || '').join('; ');
  return text.slice(0, MAX_MESSAGE);
}

/** Reads the body of an answer and returns its error. @param what was requested: `manifest nginx:1.27`. */
export async function answerError(response: HttpResponse, what: string, signal: AbortSignal): Promise<TsdError> {
  const body = await readAnswer(response, MAX_ERROR_BYTES, signal).catch(() => Buffer.alloc(0));
  const said = messageOf(body.toString('utf8'));
  const { status, url } = response;
  const message = `${what}: ${url.host} answers ${status}${said === '' ? '' : `: ${said}`}`;
  const step = 'ask registry';
  if (status === 401 || status === 403) return new TsdError('TSD_REGISTRY_DENIED', message, { step });
  if (status === 404) return new TsdError('TSD_REGISTRY_NOT_FOUND', message, { step });
  if (status === 429) {
    return new TsdError('TSD_REGISTRY', message, {
      step,
      class: 'exhausted',
      hint: 'The registry limits pulls; log in or wait.',
    });
  }
  return status >= 500 || status === 408
    ? new TsdError('TSD_REGISTRY', message, { step })
    : new TsdError('TSD_REGISTRY_INVALID', message, { step });
}

export function lying(message: string): TsdError {
  return new TsdError('TSD_REGISTRY_INVALID', message, { step: 'verify answer' });
}
