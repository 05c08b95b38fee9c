/** What images there are, and what is known of one. */
import { downShape } from '../down-shape.ts';
import { historyOfImage, IMAGE_FILTERS, inspectImage, listImages } from '../images/list.ts';
import { Filters } from '../wire/query.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

/** Before it, a pattern of names had a parameter of its own. */
const WITH_REFERENCE = 25;

function filtersOf({ query, minor }: DockerCall): Filters {
  const filters = query.filters(IMAGE_FILTERS);
  const pattern = query.text('filter');
  if (minor >= WITH_REFERENCE || pattern === '') return filters;
  return new Filters(
    new Map([...filters.keys.map((key) => [key, filters.of(key)] as const), ['reference', [pattern]]]),
  );
}

function list(call: DockerCall): DockerReply {
  const { docker, query, minor } = call;
  const images = listImages(docker, filtersOf(call), query.flag('shared-size'));
  return json(images.map((one) => downShape(minor, 'listed image', one)));
}

export const imageViewRoutes: readonly DockerRoute[] = [
  route('GET', '/images/json', list),
  route('GET', '/images/{name+}/json', (call) =>
    json(downShape(call.minor, 'image', inspectImage(call.docker, param(call, 'name')))),
  ),
  route('GET', '/images/{name+}/history', (call) => json(historyOfImage(call.docker, param(call, 'name')))),
];
