/** Tokens of the distribution project's token authentication, and of OAuth2 for identity tokens. */
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { answerError, lying } from './answers.ts';
import { basicAuthorization, type Credentials } from './auth-file.ts';
import type { Challenge } from './challenge.ts';
import type { HttpConnections } from './http.ts';
import { readAnswer } from './http.ts';

interface TokenContext {
  readonly base: URL;
  readonly signal: AbortSignal;
  connections(url: URL): Promise<HttpConnections>;
}

const MAX_TOKEN_BYTES = 1024 * 1024;
const answerSchema = z.object({ token: z.string().nullish(), access_token: z.string().nullish() });
/** Of what can appear in a header. */
const TOKEN = /^[\x21-\x7e]+$/;

/** @throws TSD_REGISTRY_DENIED, TSD_REGISTRY_INVALID for what is no token, TSD_REGISTRY. */
export async function fetchToken(
  { parameters }: Challenge,
  scope: string | null,
  credentials: Credentials | null,
  context: TokenContext,
): Promise<string> {
  const realm = realmOf(parameters.get('realm') ?? '', context.base);
  const service = parameters.get('service');
  const scopes = (scope ?? parameters.get('scope') ?? '').split(' ').filter((part) => part !== '');
  const connections = await context.connections(realm);
  const { signal } = context;
  const response = await connections.send(
    credentials?.type === 'identity-token'
      ? oauthRequest(realm, service, scopes, credentials.token, signal)
      : tokenRequest(realm, service, scopes, credentials, signal),
  );
  // A redirect would take the credentials to a place that the registry did not name.
  if (response.status !== 200) throw await answerError(response, 'token', signal);
  return tokenOf(await readAnswer(response, MAX_TOKEN_BYTES, signal), realm);
}

function realmOf(text: string, base: URL): URL {
  const realm = URL.canParse(text) ? new URL(text) : null;
  if (realm === null || !/^https?:$/.test(realm.protocol)) throw lying(`${base.host} names no valid token server`);
  if (realm.protocol === 'http:' && base.protocol === 'https:') {
    throw lying(`${base.host} names a token server without TLS: ${realm.host}`);
  }
  return realm;
}

function tokenRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  credentials: Extract<Credentials, { type: 'password' }> | null,
  signal: AbortSignal,
) {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials === null) return { method: 'GET', url, signal } as const;
  url.searchParams.set('account', credentials.username);
  const authorization = basicAuthorization(credentials);
  return { method: 'GET', url, signal, headers: { authorization } } as const;
}

function oauthRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  token: string,
  signal: AbortSignal,
) {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'tsdocker', refresh_token: token });
  if (service !== undefined) form.set('service', service);
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  const body = Buffer.from(form.toString());
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) };
  return { method: 'POST', url: realm, signal, headers, body } as const;
}

function tokenOf(answer: Buffer, realm: URL): string {
  let value: unknown;
  try {
    value = JSON.parse(answer.toString('utf8'));
  } catch {
    value = null;
  }
  const parsed = answerSchema.safeParse(value);
  const token = parsed.success ? parsed.data.token || parsed.data.access_token : null;
  if (token && TOKEN.test(token)) return token;
  throw new TsdError('TSD_REGISTRY_INVALID', `${realm.host} answered without a token`, { step: 'log in' });
}
