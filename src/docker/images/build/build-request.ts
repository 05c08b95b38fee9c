/** Parameters of a build as clients send them. Pure. */
import { posix } from 'node:path';
import { z } from 'zod';
import type { BuildRequest } from '../../../api/images/build.ts';
import type { CredentialsView } from '../../../api/images/registry-views.ts';
import { familiarRepository } from '../../../model/image-reference.ts';
import { DockerError } from '../../wire/docker-error.ts';
import { parseAs } from '../../wire/parse.ts';
import type { Query } from '../../wire/query.ts';
import { platformOf } from '../platform.ts';
import { referenceOf } from '../references.ts';
import { hostsOf, limitsOf } from './build-limits.ts';
import { noBuildKit } from './buildkit.ts';

const args = z.record(z.string(), z.string().nullable()).nullish();
const names = z.array(z.string()).nullish();
const labels = z.record(z.string(), z.string()).nullish();

/** What RUN cannot have here: a value other than none is refused, for it would not be obeyed. */
const TEXTS = ['cpusetmems', 'cgroupparent', 'isolation'];

/**
 * @param isImage whether an image of that name is on this host
 * @throws DockerError 400, 501 for what the builder does not have
 */
export function buildRequest(
  query: Query,
  contextPath: string,
  logins: Readonly<Record<string, NonNullable<CredentialsView>>>,
  isImage: (name: string) => boolean,
): BuildRequest {
  refuseUnsupported(query);
  return {
    context: { type: 'archive', path: contextPath },
    dockerfile: inContext(query.text('dockerfile') || 'Dockerfile'),
    dockerfileText: null,
    contexts: {},
    tags: tagsOf(query),
    args: Object.fromEntries(
      Object.entries(parseAs(args, query.json('buildargs')) ?? {}).flatMap(([name, value]) =>
        value === null ? [] : [[name, value]],
      ),
    ),
    labels: parseAs(labels, query.json('labels')) ?? {},
    target: query.text('target') || null,
    platform: platformOf(query.text('platform')),
    network: networkOf(query.text('networkmode')),
    noCache: query.flag('nocache') || !mayUseCache(query, isImage),
    limits: limitsOf(query),
    extraHosts: query.all('extrahosts').flatMap(hostsOf),
    pull: query.flag('pull'),
    logins,
    secrets: {},
  };
}

/** A path of the context, whatever is written: never one of the host. */
function inContext(path: string): string {
  if (path.includes('\0')) throw new DockerError(400, 'invalid dockerfile');
  return posix.join('/', path).slice(1) || 'Dockerfile';
}

function tagsOf(query: Query): string[] {
  const names = query.all('t').flatMap((text) => {
    if (text === '') return [];
    const reference = referenceOf(text);
    if (reference.digest !== null) throw new DockerError(400, 'build tag cannot contain a digest');
    return [`${familiarRepository(reference)}:${reference.tag ?? 'latest'}`];
  });
  return [...new Set(names)];
}

/** Who names images to take steps from wants none where there is none of these. */
function mayUseCache(query: Query, isImage: (name: string) => boolean): boolean {
  const sources = parseAs(names, query.json('cachefrom')) ?? [];
  return sources.length === 0 || sources.some(isImage);
}

function networkOf(mode: string): BuildRequest['network'] {
  if (mode === '' || mode === 'default' || mode === 'bridge') return 'default';
  if (mode === 'none' || mode === 'host') return mode;
  throw new DockerError(501, `networkmode ${mode}: RUN can have default, none or host here`);
}

function refuseUnsupported(query: Query): void {
  if (query.text('version') === '2') throw noBuildKit400();
  const remote = query.text('remote');
  if (remote === 'client-session') throw noBuildKit400();
  if (remote !== '') {
    throw new DockerError(
      501,
      'remote contexts are not fetched: send the context as the body, as `docker build .` does',
    );
  }
  if (query.flag('squash')) throw new DockerError(400, 'squash is only supported with experimental mode');
  const given = [
    ...TEXTS.filter((name) => !['', 'default'].includes(query.text(name))),
    ...(isEmptyList(query.json('outputs')) ? [] : ['outputs']),
  ];
  if (given.length > 0) throw new DockerError(501, `a build cannot have ${given.join(', ')} here`);
}

const isEmptyList = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

const noBuildKit400 = (): DockerError => new DockerError(400, noBuildKit().message);
