/** COPY and ADD. */
import { posix } from 'node:path';
import type { Expander } from '../../../model/dockerfile/expand.ts';
import type { Instruction } from '../../../model/dockerfile/instruction.ts';
import { dockerfileError } from '../../../model/dockerfile/place.ts';
import { globExpression, IGNORE_NOTHING } from '../../../model/ignore-file.ts';
import type { BuildStage, LayerStep } from '../build-stage.ts';
import { type CopyRequest, type CopySource, copyEntries } from '../files/copy.ts';
import { openArchive } from '../files/local-archive.ts';
import { parseMode, parseOwner } from '../files/owners.ts';
import { findSources, type SourceTree } from '../files/source-tree.ts';
import { clampedTimes, contentDigest, makeLayer } from '../layer-writer.ts';

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
          const entries = copyEntries(copied, root);
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

function excludesOf({ flags, place }: Instruction, expander: Expander): RegExp[] {
  return (flags.get('exclude') ?? []).map((written) => {
    const pattern = expander.word(written, place);
    const expression = globExpression(pattern.replace(/^\/+|\/+$/g, ''));
    if (expression === null) throw dockerfileError(place, `--exclude=${pattern} is no pattern`);
    return expression;
  });
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
  { tree, expander, scratch, stage }: SourceParts,
  work: (sources: readonly CopySource[]) => Promise<T>,
): Promise<T> {
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
      if (keyword === 'ADD') refuseRemote(pattern, instruction);
      const archives =
        keyword === 'ADD' ? await unpacked(tree, pattern, posix.join(scratch, String(index)), instruction) : [];
      opened.push(...archives);
      if (archives.length === 0) sources.push({ type: 'tree', tree, pattern });
      else sources.push(...archives.map((archive): CopySource => ({ type: 'archive', tree: archive })));
    }
    return await work(sources);
  } finally {
    for (const { files } of opened) files.close();
  }
}

function refuseRemote(pattern: string, { place }: Instruction): void {
  if (!/^(https?|ftp|git|ssh):\/\/|^git@|\.git(#|$)/i.test(pattern)) return;
  throw dockerfileError(place, `ADD of ${pattern}: files are not fetched from the network by ADD`, {
    class: 'unsupported',
    hint: 'Put the file into the build context, or fetch it with RUN, where its checksum can be compared.',
  });
}

/** The archives that a source of ADD means, unpacked; none when it means other files. */
async function unpacked(
  tree: SourceTree,
  pattern: string,
  scratch: string,
  { place }: Instruction,
): Promise<SourceTree[]> {
  const matches = findSources(tree, pattern, place);
  const opened = await Promise.all(
    matches.map(async ({ path, stat }, index) =>
      stat.isFile() ? openArchive(tree.files, path, `${scratch}-${index}`) : null,
    ),
  );
  const archives = opened.filter((files) => files !== null);
  if (archives.length > 0 && archives.length < matches.length) {
    for (const files of archives) files.close();
    throw dockerfileError(place, `${pattern} means archives and other files; name them one by one`);
  }
  return archives.map((files) => ({ files, ignore: IGNORE_NOTHING, name: pattern, devices: false, keepsOwners: true }));
}
