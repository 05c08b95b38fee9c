/** The server that hands out official.json, and what of its answer is believed. */
import { TsdError } from '../../model/errors/errors.ts';
import { type EndpointSettings, tlsSettings } from '../registry/endpoints.ts';
import { HttpConnections, readAnswer } from '../registry/http.ts';
import { keyId } from './daemon-key.ts';
import type { SignedStatement } from './statement.ts';

/** Many thousand grants; one names a subject and a key. */
const MAX_STATEMENT_BYTES = 1024 * 1024;
/** A pull waits for it: connecting, and the whole of the answer. */
const CONNECT_MS = 5_000;
const WHOLE_MS = 10_000;
const STEP = 'fetch trust base';

const refused = (
  message: string,
  options: { readonly class?: 'denied' | 'unavailable'; readonly hint?: string } = {},
) => new TsdError('TSD_TRUST_BASE', message, { step: STEP, ...options });

/** One small document. @throws TSD_TRUST_BASE, TSD_REGISTRY when there is no answer in time, TSD_REGISTRY_INVALID. */
export async function fetchBase(url: URL, settings: EndpointSettings, signal: AbortSignal): Promise<Buffer> {
  const deadline = AbortSignal.timeout(WHOLE_MS);
  const either = AbortSignal.any([signal, deadline]);
  const tls = await tlsSettings(url.host, settings);
  const connections = new HttpConnections(tls, { connectMs: CONNECT_MS, stallMs: CONNECT_MS });
  try {
    const response = await connections.send({ method: 'GET', url, signal: either });
    if (response.status === 404) throw refused(`${url.href}: the trust base does not exist there`);
    if (response.status !== 200) throw refused(`${url.href} answers with status ${response.status}`);
    return await readAnswer(response, MAX_STATEMENT_BYTES, either);
  } catch (thrown) {
    if (deadline.aborted) throw refused(`${url.href}: no whole answer in ${WHOLE_MS / 1000} s`);
    throw thrown;
  } finally {
    connections.close();
  }
}

/**
 * Whether what came replaces what is held. The first one is believed, since nothing says whose it must be; after that the
 * key stays, and time goes forward.
 * @throws TSD_TRUST_BASE with the reason why not.
 */
export function requireSuccessor(
  next: SignedStatement,
  held: SignedStatement | null,
  { what, file, nowMs }: { readonly what: string; readonly file: string; readonly nowMs: number },
): void {
  const date = (ms: number) => new Date(ms).toISOString();
  if (next.expiresAtMs <= nowMs) {
    const hint = 'What is held stays in force until it expires itself. Is the clock of this host right?';
    throw refused(`${what} expired at ${date(next.expiresAtMs)}`, { class: 'denied', hint });
  }
  if (held === null) return;
  const [known, given] = [held, next].map(({ keys }) => keys.map(keyId));
  if (given?.some((key) => known?.includes(key)) !== true) {
    const message = `${what} is signed by ${given?.join(', ')}, and ${file} by ${known?.join(', ')}`;
    const hint = `If the key was replaced on purpose, move the old statement away: \`mv ${file} ${file}.old\`.`;
    throw refused(message, { class: 'denied', hint });
  }
  if (next.issuedAtMs < held.issuedAtMs) {
    const message = `${what} was issued at ${date(next.issuedAtMs)}, before the one that is held (${date(held.issuedAtMs)})`;
    throw refused(message, {
      class: 'denied',
      hint: 'An old statement may grant what was revoked since; it is not taken.',
    });
  }
}
