/** Logins that clients send with a request. */
import { z } from 'zod';
import type { CredentialsView } from '../../api/images/registry-views.ts';
import { DockerError } from '../wire/docker-error.ts';

const text = z.string().nullish();

export const authConfig = z.looseObject({
  username: text,
  password: text,
  /** `user:password` in base64, in place of both. */
  auth: text,
  serveraddress: text,
  identitytoken: text,
  registrytoken: text,
});
type AuthConfig = z.infer<typeof authConfig>;

/** Null where nothing is proved: the supervisor's own login is used then. @throws DockerError 400 for a kind that is not taken */
export function credentialsOf({ username, password, auth, identitytoken, registrytoken }: AuthConfig): CredentialsView {
  if (registrytoken) {
    throw new DockerError(400, 'a registrytoken is not taken: send username and password, or an identitytoken');
  }
  if (identitytoken) return { type: 'identity-token', token: identitytoken };
  if (username) return { type: 'password', username, password: password ?? '' };
  const [user = '', ...rest] = Buffer.from(auth ?? '', 'base64')
    .toString('utf8')
    .split(':');
  return user === '' ? null : { type: 'password', username: user, password: rest.join(':') };
}

/** As in X-Registry-Auth, base64 of either alphabet. What cannot be read is no login, as with Docker. */
export function readAuthHeader(header: string | readonly string[] | undefined): CredentialsView {
  const parsed = authConfig.safeParse(decoded(header));
  return parsed.success ? credentialsOf(parsed.data) : null;
}

function decoded(header: string | readonly string[] | undefined): unknown {
  const [text = ''] = [header ?? ''].flat();
  try {
    return JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    return null;
  }
}
