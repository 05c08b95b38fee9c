/** One manifest: what is wrong with it, what it declares, and which generations it changed. */
import type { HistoryView } from '../../../api/views/explain-views.ts';
import type { IssueView, ManifestView } from '../../../api/views/resource-views.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import type { CliContext } from '../../context.ts';
import { formatPairs, formatTable } from '../../output/table.ts';
import { formatAge, paint } from '../../output/text.ts';
import { changedSince, LIST_ALIASES, VIEWS } from '../../output/views.ts';

interface Declared {
  readonly resource: string;
  readonly phase: string;
  readonly message: string;
  readonly source: SourcePosition | null;
}

interface ManifestDescription {
  readonly manifest: ManifestView;
  readonly resources: readonly Declared[];
  /** Generations that it changed, newest first. */
  readonly history: readonly HistoryView[];
}

const KINDS = { container: 'containers', image: 'images', volume: 'volumes', network: 'networks' } as const;
const LATEST_GENERATIONS = 100;
const SHOWN_GENERATIONS = 10;

/** The name of the manifest that is meant, or null for another resource. A word that ends as a file does is one. */
export function manifestArgument(words: readonly string[]): string | null {
  const [first = '', ...rest] = words;
  if (rest.length === 0 && /\.ya?ml$/.test(first) && !isManifestWord(first.split('/')[0] ?? '')) return first;
  const slash = first.indexOf('/');
  const [word, name] = slash > 0 ? [first.slice(0, slash), first.slice(slash + 1)] : [first, rest.join('/')];
  return name !== '' && isManifestWord(word) ? name : null;
}

const isManifestWord = (word: string): boolean => ['manifests', ...LIST_ALIASES.manifests].includes(word);

/** By file, app, or the file's last part. @throws TSD_NO_SUCH_RESOURCE. */
function find(manifests: readonly ManifestView[], name: string): ManifestView {
  const exact = manifests.find((manifest) => VIEWS.manifests.names(manifest).includes(name));
  const last = manifests.filter(({ file }) => file.endsWith(`/${name}`) || file.endsWith(`/${name}.yaml`));
  const [only] = last;
  if (exact ?? (last.length === 1 && only)) return exact ?? (only as ManifestView);
  throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no manifest ${name}`, {
    hint: '`tsdocker get manifests` lists them; name one by file or app.',
  });
}

export async function describeManifest(context: CliContext, name: string): Promise<ManifestDescription> {
  const client = await context.client();
  const manifest = find(await client.list('manifests'), name);
  const resources: Declared[] = [];
  for (const [kind, list] of Object.entries(KINDS)) {
    for (const { app, name: own, phase, message, source } of await client.list(list)) {
      // A successor or predecessor belongs to an update, not to the file.
      if (app === manifest.app && source !== null)
        resources.push({ resource: `${kind}/${own}`, phase, message, source });
    }
  }
  const generations = await client.history(LATEST_GENERATIONS);
  const history = generations.filter(({ files }) => files.some(({ file }) => file === manifest.file));
  return { manifest, resources, history };
}

const place = ({ file, line, column }: SourcePosition | IssueView): string => `${file}:${line}:${column}`;

const ISSUES = [
  { title: 'AT', value: place },
  { title: 'PROBLEM', value: (issue: IssueView) => issue.message },
  { title: 'HINT', value: (issue: IssueView) => issue.hint ?? '' },
];
const WARNINGS = [
  { title: 'AT', value: place },
  { title: 'WARNING', value: (issue: IssueView) => issue.message },
];
const RESOURCES = [
  { title: 'RESOURCE', value: (declared: Declared) => declared.resource },
  { title: 'PHASE', value: (declared: Declared) => declared.phase },
  { title: 'SOURCE', value: ({ source }: Declared) => (source === null ? '-' : place(source)) },
  { title: 'MESSAGE', value: (declared: Declared) => declared.message },
];

export function formatManifest(context: CliContext, { manifest, resources, history }: ManifestDescription): string {
  const heading = (text: string) => `\n${paint(context.streams, context.streams.stdout, 'bold', text)}\n`;
  const { file, app, origin, state, generation, issues, held, changed, hint, warnings } = manifest;
  const sections = [
    formatPairs([
      ['kind', 'manifest'],
      ['file', file],
      ['app', app],
      ['origin', origin],
      ['state', state],
      ['held', held],
      ['changed', changed ? changedSince(changed) : null],
      ['hint', hint === '' || !changed ? null : hint],
      ['generation', generation],
    ]),
  ];
  if (issues.length > 0) sections.push(heading('Problems'), formatTable(context, ISSUES, issues));
  if (warnings.length > 0) sections.push(heading('Warnings'), formatTable(context, WARNINGS, warnings));
  if (resources.length > 0) sections.push(heading('Declares'), formatTable(context, RESOURCES, resources));
  if (history.length > 0) {
    const nowMs = context.streams.now();
    const columns = [
      { title: 'GENERATION', value: (h: HistoryView) => String(h.generation) },
      { title: 'AGE', value: (h: HistoryView) => formatAge(h.at, nowMs) },
      { title: 'CAUSE', value: (h: HistoryView) => h.cause },
    ];
    sections.push(
      heading('Generations that it changed'),
      formatTable(context, columns, history.slice(0, SHOWN_GENERATIONS)),
    );
  }
  return sections.join('');
}
