/** What is kept of a request that makes something. */
import { formatTime } from '../../model/clock.ts';
import type { ImperativeRequest } from '../../model/imperative/request.ts';
import type { JsonValue } from '../../model/json.ts';
import type { DockerCall } from '../wire/route.ts';

export function requestOf(
  { client, uid, docker: { clock } }: DockerCall,
  body: unknown,
  autoRemove: boolean,
): ImperativeRequest {
  return { body: (body ?? {}) as JsonValue, client, uid, autoRemove, at: formatTime(clock.now().wallMs) };
}
