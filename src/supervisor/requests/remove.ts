/** `delete`: takes back applied manifests, or single resources out of them. */
import type { ApplyEvent, ManifestInput, RemoveRequest } from '../../api/requests.ts';
import { appNameOf } from '../../manifest/parse.ts';
import { withoutResource } from '../../manifest/without-resource.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { Sources } from '../sources/sources.ts';
import { type Nameable, resolveName } from '../views/names.ts';
import { asker } from './actors.ts';
import { type ApplyParts, takeOver } from './apply.ts';

/** What goes, and what applied manifests become of which only a part goes. */
interface Removal {
  readonly origins: Set<string>;
  readonly edited: Map<string, ManifestInput>;
}

function takeFile(sources: Sources, file: string, removal: Removal): void {
  if (sources.applied().has(file)) {
    removal.origins.add(file);
    return;
  }
  if (sources.isWatched(file)) {
    throw new TsdError('TSD_OWNED_BY_MANIFEST', `${file} is in the watched directory`, {
      hint: `Remove the file itself: rm ${file}`,
    });
  }
  throw new TsdError('TSD_NO_SUCH_RESOURCE', `${file} was not applied`, {
    hint: '`tsdocker get manifests` lists what was.',
  });
}

/** What exists and no manifest declares any more. */
function undeclared(key: ResourceKey): TsdError {
  const { kind, app, name } = parseKey(key);
  if (key === DEFAULT_NETWORK) {
    return new TsdError('TSD_NO_SUCH_RESOURCE', 'the default network is declared by no manifest', {
      key,
      hint: 'A supervisor that is started with `--bridge none` has none.',
    });
  }
  const hint =
    kind === 'volume'
      ? `Its data is kept; \`tsdocker approve ${key}\` deletes it.`
      : kind === 'image'
        ? `\`tsdocker rmi ${app}/${name}\` takes it away.`
        : 'It is being removed; `tsdocker get` shows how far that is.';
  return new TsdError('TSD_NO_SUCH_RESOURCE', `no manifest declares ${key} any more`, { key, hint });
}

function takeResource(sources: Sources, key: ResourceKey, removal: Removal): void {
  const { kind, app, name } = parseKey(key);
  const place = sources.state.resources.get(key)?.source;
  const owner = sources.sourceOfApp(app);
  if (!place || !owner) throw undeclared(key);
  const { origin } = owner;
  const refuse = (hint: string) =>
    new TsdError('TSD_OWNED_BY_MANIFEST', `${key} is declared at ${place.file}:${place.line}:${place.column}`, {
      key,
      source: place,
      hint,
    });
  if (owner.kind === 'watched') throw refuse(`Remove it from ${origin}.`);
  if (removal.origins.has(origin)) return;
  const source = sources.applied().get(origin);
  const text = removal.edited.get(origin)?.text ?? (source?.content.ok ? source.content.text : null);
  const left =
    text === null ? null : withoutResource({ text, file: origin, appDefault: appNameOf(origin) }, kind, name);
  if (!source || left === null) {
    throw refuse(`Remove it from ${origin} and apply that again, or delete the whole: tsdocker delete -f ${origin}`);
  }
  if (left === 'nothing') {
    removal.origins.add(origin);
    removal.edited.delete(origin);
  } else removal.edited.set(origin, { file: origin, baseDir: source.baseDir, text: left });
}

function removalOf(sources: Sources, request: RemoveRequest, nameables: readonly Nameable[]): Removal {
  const removal: Removal = { origins: new Set(), edited: new Map() };
  if (request.all) for (const origin of sources.applied().keys()) removal.origins.add(origin);
  for (const { file } of request.files) takeFile(sources, file, removal);
  for (const { kind, name } of request.resources) takeResource(sources, resolveName(kind, name, nameables), removal);
  return removal;
}

/** All or nothing: a resource that others still name stays, and the answer is where they do. @throws TsdError before anything is done. */
export function remove(
  parts: ApplyParts,
  request: RemoveRequest,
  nameables: readonly Nameable[],
  signal?: AbortSignal,
): AsyncGenerator<ApplyEvent> {
  const { sources } = parts;
  const { origins, edited } = removalOf(sources, request, nameables);
  const [gone, inputs] = [[...origins], [...edited.values()]];
  const touched = new Set([...gone, ...edited.keys()]);
  const apps = new Set(sources.views().flatMap(({ file, app }) => (touched.has(file) && app !== null ? [app] : [])));
  const preview = sources.preview(inputs, { gone, sameFiles: true });
  const named = request.resources.map(({ kind, name }) => resolveName(kind, name, nameables));
  const change = {
    preview,
    issues: inputs.length > 0 ? sources.newIssues(preview) : [],
    apps,
    refreshed: [],
    make: () => {
      const cause = `deleted ${[...gone, ...(inputs.length > 0 ? named : [])].join(', ')}`;
      sources.remove(gone, inputs, { cause, by: asker(request.askedBy) });
      return [];
    },
  };
  return takeOver(parts, change, { dryRun: false, waitMs: request.waitMs }, signal);
}
