/** What happens, as it happens. */
import { EVENT_FILTERS, isAskedFor } from '../events/event-filters.ts';
import type { EventMessage } from '../events/message.ts';
import { timeOf } from '../streams/log-lines.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, route } from '../wire/route.ts';

function events({ docker, query, signal }: DockerCall): DockerReply {
  const [sinceNs, untilNs] = [timeOf(query, 'since'), timeOf(query, 'until')];
  if (sinceNs !== null && untilNs !== null && sinceNs > untilNs) {
    const [since, until] = [query.text('since'), query.text('until')];
    throw new DockerError(400, `\`since\` time (${since}) cannot be after \`until\` time (${until})`);
  }
  const filters = query.filters(EVENT_FILTERS);
  const all = docker.bus.events({ sinceNs, untilNs }, signal);
  const wanted = async function* (): AsyncGenerator<EventMessage> {
    for await (const message of all) if (isAskedFor(message, filters, [])) yield message;
  };
  return { type: 'lines', items: wanted() };
}

export const eventRoutes: readonly DockerRoute[] = [route('GET', '/events', events)];
