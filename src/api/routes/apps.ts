import { toTsdError } from '../../model/errors/errors.ts';
import type { MemberOutcome, StartedView } from '../requests.ts';
import { restartBody, startBody, stopBody } from './containers.ts';
import { type ApiRequest, param, post, type Route, stream } from './route.ts';

/**
 * Does the same to all containers of an app and gives each outcome as it comes. All are asked in one go, so that one pass of
 * the loop sees them together and orders them by what they depend on.
 */
async function* eachMember(
  request: ApiRequest,
  act: (name: string) => Promise<StartedView | null> | StartedView,
): AsyncGenerator<MemberOutcome> {
  const names = await request.api.members(param(request, 'app'));
  const open = new Map(names.map((name) => [name, outcomeOf(name, act(name))]));
  while (open.size > 0) {
    const outcome = await Promise.race(open.values());
    open.delete(outcome.name);
    yield outcome;
  }
}

async function outcomeOf(name: string, work: Promise<StartedView | null> | StartedView): Promise<MemberOutcome> {
  try {
    return { name, state: (await work)?.state ?? null, error: null };
  } catch (thrown) {
    return { name, state: null, error: toTsdError(thrown).toJSON() };
  }
}

/** All containers of an app. */
export const appRoutes: readonly Route[] = [
  post('/apps/:app/stop', stopBody, ({ timeoutMs, forMs }, request) =>
    stream(
      eachMember(request, async (name) => {
        await request.api.stop(name, timeoutMs, forMs, request.signal);
        return null;
      }),
    ),
  ),
  post('/apps/:app/start', startBody, (options, request) =>
    stream(eachMember(request, (name) => request.api.start(name, { ...options, together: true }, request.signal))),
  ),
  post('/apps/:app/restart', restartBody, ({ timeoutMs, ...options }, request) =>
    stream(
      eachMember(request, (name) =>
        request.api.restart(name, timeoutMs, { ...options, together: true }, request.signal),
      ),
    ),
  ),
];
