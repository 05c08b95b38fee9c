/** Plans and differences as clients see them. Pure. */
import type { ApprovalView, DiffView, FileNote, NoteView, PlanView } from '../../api/views/plan-views.ts';
import type { IssueView, ManifestView } from '../../api/views/resource-views.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import type { DeclarationNote } from '../../model/notes/update-notes.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { Plan } from '../../reconcile/op.ts';
import { changedContent, diffSpecs, isRecord, sameData } from '../../reconcile/plan/diff.ts';
import { formatOp } from '../../reconcile/plan/format.ts';

/** What a plan is shown with. */
interface Beside {
  readonly issues?: readonly IssueView[];
  readonly approvals?: readonly ApprovalView[];
  readonly manifests?: readonly ManifestView[];
  readonly notes?: readonly DeclarationNote[];
  readonly fileNotes?: readonly FileNote[];
}

function noteView({ key, message, hint, source, warning }: DeclarationNote): NoteView {
  return { resource: key, message, hint, ...source, ...(warning && { warning }) };
}

export function planView(
  plan: Plan,
  { issues = [], approvals = [], manifests = [], notes = [], fileNotes = [] }: Beside = {},
): PlanView {
  return {
    generation: plan.generation,
    ops: plan.ops.map(({ id, op, key, cause, dependsOn }) => ({
      id,
      op,
      resource: key,
      cause: cause.message,
      dependsOn,
      source: cause.source ?? null,
    })),
    holds: plan.holds.map(({ key, reason, message, hint = '' }) => ({ resource: key, reason, message, hint })),
    issues,
    approvals,
    manifests: manifests.filter(({ state, warnings }) => state !== 'Active' || warnings.length > 0),
    notes: notes.map(noteView),
    fileNotes,
    text: plan.ops.map(formatOp).join('\n'),
  };
}

/** The part of a plan that concerns some apps. */
export function planOfApps(plan: Plan, apps: ReadonlySet<string>): Plan {
  const concerns = (key: ResourceKey): boolean => apps.has(key.split('/')[1] ?? '');
  return {
    ...plan,
    ops: plan.ops.filter(({ key }) => concerns(key)),
    holds: plan.holds.filter(({ key }) => concerns(key)),
  };
}

type Fields = DiffView['fields'];

/** Of two values as they are written, where they differ: member by member as far as there are some. */
function writtenDifferences(path: string, from: unknown, to: unknown, change: string): Fields {
  if (sameData(from, to)) return [];
  const nested = (isRecord(from) && (isRecord(to) || to == null)) || (isRecord(to) && from == null);
  if (!nested) return [{ path, from, to, change }];
  const [before, after] = [isRecord(from) ? from : {}, isRecord(to) ? to : {}];
  return Object.keys({ ...before, ...after }).flatMap((member) =>
    writtenDifferences(path === '' ? member : `${path}.${member}`, before[member], after[member], change),
  );
}

/** What differs in what the supervisor makes of them, in the words of the manifest where these differ too. */
function members(from: Desired, to: Desired): Fields {
  const normalised = specDifferences(from, to);
  if (!isRecord(from.written) || !isRecord(to.written)) return normalised;
  if (from.kind !== 'container' && from.kind !== 'network') {
    const written = writtenDifferences('', from.written, to.written, normalised[0]?.change ?? '');
    return written.length > 0 ? written : normalised;
  }
  const topOf = (path: string): string => path.split('.', 1)[0] ?? path;
  return [...new Set(normalised.map(({ path }) => topOf(path)))].flatMap((top) => {
    const own = normalised.filter(({ path }) => topOf(path) === top);
    const [before, after] = [from.written, to.written].map((written) => (isRecord(written) ? written[top] : undefined));
    const written = writtenDifferences(top, before, after, own[0]?.change ?? '');
    return written.length > 0 ? written : own;
  });
}

function specDifferences(from: Desired, to: Desired): Fields {
  if (from.kind === 'container' || from.kind === 'network') return diffSpecs(from.kind, from.spec, to.spec);
  const before: Readonly<Record<string, unknown>> = { ...from.spec };
  const after: Readonly<Record<string, unknown>> = { ...to.spec };
  return Object.keys({ ...before, ...after })
    .filter((name) => !sameData(before[name], after[name]))
    .map((path) => ({
      path,
      from: before[path],
      to: after[path],
      change: from.kind === 'image' ? 'recreate' : 'in-place',
    }));
}

/** Field by field, what another desired state would change. */
export function diffStates(from: DesiredState, to: DesiredState): readonly DiffView[] {
  const keys = [...new Set([...from.resources.keys(), ...to.resources.keys()])].sort();
  return keys.flatMap((key): DiffView[] => {
    const before = from.resources.get(key);
    const after = to.resources.get(key);
    if (!before) return [{ resource: key, change: 'added', fields: [] }];
    if (!after) return [{ resource: key, change: 'removed', fields: [] }];
    if (before.specHash === after.specHash) return [];
    const content = changedContent(before.contentHashes, after.contentHashes).map((path) => ({
      path: `content of ${path}`,
      from: before.contentHashes[path],
      to: after.contentHashes[path],
      change: 'restart',
    }));
    return [{ resource: key, change: 'changed', fields: [...members(before, after), ...content] }];
  });
}
