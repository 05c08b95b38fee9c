/** COPY and ADD. */

import { posix } from 'node:path';
import type { Beneath } from '../../../ffi/files/beneath.ts';
import { inSlices } from '../../../ffi/slices.ts';
import type { Expander } from '../../../model/dockerfile/expand.ts';
import type { Instruction } from '../../../model/dockerfile/instruction.ts';
import { type DockerfilePlace, dockerfileError } from '../../../model/dockerfile/place.ts';
import { append } from '../../../model/lists.ts';
import type { Glob } from '../../../model/text/glob.ts';
import type { BuildStage, LayerStep } from '../build-stage.ts';
import { type CopyRequest, type CopySource, copyEntries } from '../files/copy.ts';
import { openArchive } from '../files/local-archive.ts';
import { parseMode, parseOwner } from '../files/owners.ts';
import { archiveTree, findSources, globAt, type SourceTree } from '../files/source-tree.ts';
import { clampedTimes, contentDigest, makeLayer } from '../layer-writer.ts';
import { fetchSource, remoteUrl } from './remote-source.ts';

const INLINE_MODE = 0o644;

export async function copyStep(
  stage: BuildStage,
  instruction: Instruction,
  use: (step: LayerStep) => Promise<void>,
): Promise<void> {
  const { host, request, withSource } = stage.context;
  const { flags, place } = instruction;
  const expander = stage.scope.expander(stage.state.config);
  const [from] = flags.get('from') ?? [];
  const words = copyWords(instruction, expander);
  const copy = (tree: SourceTree): Promise<void> =>
    host.withDirectory((scratch) =>
      withSources(instruction, words.slice(0, -1), { tree, expander, scratch, stage }, (sources) =>
        stage.withRoot(async (root) => {
          const of = (flag: string): string | null => {
            const [value] = flags.get(flag) ?? [];
            return value === undefined ? null : expander.word(value, place);
          };
          const owner = of('chown');
          const mode = of('chmod');
          const now = Math.floor(Date.parse(stage.created()) / 1000);
          const copied: CopyRequest = {
            keyword: instruction.keyword === 'ADD' ? 'ADD' : 'COPY',
            sources,
            destination: stage.pathIn(words.at(-1) ?? ''),
            owner: owner === null ? null : parseOwner(owner, root, place),
            mode: mode === null ? null : parseMode(mode, place),
            excludes: excludesOf(instruction, expander),
            parents: flags.has('parents'),
            mtimeSeconds: tree.keepsOwners ? null : request.sourceDateEpoch,
            nowSeconds: now,
            place,
          };
          const entries = await copyEntries(copied, root);
          const latest = request.sourceDateEpoch;
          await use({
            // Times of files do not count, and neither does where they come from.
            key: { content: await contentDigest(entries) },
            make: () => makeLayer(stage.state.layers, () => clampedTimes(entries, latest), host.load),
          });
        }),
      ),
    );
  if (from === undefined) return copy(request.context);
  return withSource(expander.word(from, place), place, copy);
}

/** Sources and destination, here-documents left out. */
function copyWords({ json, rest, heredocs, place, keyword }: Instruction, expander: Expander): string[] {
  const words = json?.map((word) => expander.word(word, place)) ?? expander.words(rest, place);
  const paths = heredocs.length === 0 ? words : words.filter((word) => !/^<<-?\S/.test(word));
  if (paths.length === 0 || paths.at(-1) === '') throw dockerfileError(place, `${keyword} has no destination`);
  if (paths.some((path) => path === ''))
    throw dockerfileError(place, `a source of ${keyword} is empty: a variable in it has no value`);
  return paths;
}

function excludesOf({ flags, place }: Instruction, expander: Expander): Glob[] {
  return (flags.get('exclude') ?? []).map((written) => {
    const pattern = expander.word(written, place);
    return globAt(withoutSlashes(pattern), `--exclude=${pattern}`, place);
  });
}

/** In one pass: a pattern may be long, and an expression that looks for slashes at the end tries at each of them. */
function withoutSlashes(pattern: string): string {
  let [from, to] = [0, pattern.length];
  while (pattern[from] === '/') from++;
  while (to > from && pattern[to - 1] === '/') to--;
  return pattern.slice(from, to);
}

interface SourceParts {
  readonly tree: SourceTree;
  readonly expander: Expander;
  /** A directory of the step's own. */
  readonly scratch: string;
  readonly stage: BuildStage;
}

async function withSources<T>(
  instruction: Instruction,
  paths: readonly string[],
  parts: SourceParts,
  work: (sources: readonly CopySource[]) => Promise<T>,
): Promise<T> {
  const { tree, expander, scratch, stage } = parts;
  const { keyword, place, heredocs } = instruction;
  const mtimeSeconds = Math.floor(Date.parse(stage.created()) / 1000);
  const sources: CopySource[] = heredocs.map(({ name, content, expand }) => ({
    type: 'inline',
    file: {
      name,
      content: Buffer.from(expand ? expander.body(content, place) : content),
      mode: INLINE_MODE,
      mtimeSeconds,
    },
  }));
  const opened: SourceTree[] = [];
  try {
    for (const [index, pattern] of paths.entries()) {
      const own = posix.join(scratch, String(index));
      const { found, archives } =
        keyword === 'ADD' ? await addSources(instruction, pattern, own, parts) : copySources(tree, pattern);
      append(opened, archives);
      append(sources, found);
      for (const archive of archives) sources.push({ type: 'archive', tree: archive });
    }
    return await work(sources);
  } finally {
    for (const { files } of opened) files.close();
  }
}

interface Sources {
  readonly found: readonly CopySource[];
  /** Unpacked; open. */
  readonly archives: readonly SourceTree[];
}

const copySources = (tree: SourceTree, pattern: string): Sources => ({
  found: [{ type: 'tree', tree, pattern }],
  archives: [],
});

/** @param scratch a path of which names may begin. */
async function addSources(
  instruction: Instruction,
  pattern: string,
  scratch: string,
  { tree, expander, stage }: SourceParts,
): Promise<Sources> {
  const { flags, place } = instruction;
  const remote = remoteUrl(pattern, instruction);
  if (flags.has('keep-git-dir')) throw dockerfileError(place, '--keep-git-dir goes with git repositories');
  const [unpack] = flags.get('unpack') ?? [];
  const wanted = unpack === undefined ? remote === null : readSwitch(expander.word(unpack, place), place);
  if (remote !== null) {
    return fetchSource({ url: remote, path: `${scratch}-file`, unpack: wanted }, instruction, expander, stage);
  }
  if (flags.has('checksum'))
    throw dockerfileError(place, `${pattern} is a file of the context; --checksum goes with URLs`);
  const archives = wanted ? await unpacked(tree, pattern, scratch, instruction) : [];
  return archives.length > 0 ? { found: [], archives } : copySources(tree, pattern);
}

function readSwitch(value: string, place: DockerfilePlace): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw dockerfileError(place, `--unpack=${value}: there are true and false`);
}

/** The archives that a source of ADD means, unpacked; none when it means other files. */
async function unpacked(
  tree: SourceTree,
  pattern: string,
  scratch: string,
  { place }: Instruction,
): Promise<SourceTree[]> {
  const matches = await inSlices(findSources(tree, pattern, place));
  const archives: Beneath[] = [];
  for (const [index, { path, stat }] of matches.entries()) {
    const files = stat.isFile() ? await openArchive(tree.files, path, `${scratch}-${index}`) : null;
    if (files !== null) archives.push(files);
  }
  if (archives.length > 0 && archives.length < matches.length) {
    for (const files of archives) files.close();
    throw dockerfileError(place, `${pattern} means archives and other files; name them one by one`);
  }
  return archives.map((files) => archiveTree(files, pattern));
}
