/** Seccomp profiles that manifests name. */
import { isNode } from 'yaml';
import { effectiveCapabilities } from '../model/capabilities.ts';
import type { ContainerSpec } from '../model/kinds/container.ts';
import { profilePath, profileText } from '../model/kinds/seccomp-forms.ts';
import { formatPosition } from '../model/resource.ts';
import { machineOf } from '../model/seccomp/architectures.ts';
import { compileFilter } from '../model/seccomp/filter.ts';
import { profileSchema, type SeccompProfile } from '../model/seccomp/profile.ts';
import { missingCalls } from '../model/seccomp/required-calls.ts';
import { type FilterContext, rulesOf } from '../model/seccomp/rules.ts';
import { type ContentProblem, countsAsBefore, type ReadFile } from './content.ts';
import { readYaml, type YamlText } from './yaml-text.ts';

type Subject = Pick<ContainerSpec, 'seccomp' | 'capabilities' | 'privileged'>;

export interface LoadedProfile {
  /** Undefined for the default. */
  readonly seccomp: SeccompProfile | 'unconfined' | undefined;
  readonly problems: readonly ContentProblem[];
}

/** Rules for later kernels count: a profile is not refused for the one that happens to run. */
const ANY_KERNEL = [Number.POSITIVE_INFINITY, 0] as const;
const SHOWN = 3;

function read(text: string, path: string): { profile?: SeccompProfile; problems: readonly string[] } {
  const { documents, issues, positionAt }: YamlText = readYaml(text, path);
  if (issues.length > 0) {
    return { problems: issues.map(({ position, message }) => `${formatPosition(position)}: ${message}`) };
  }
  const [document] = documents;
  if (document === undefined || documents.length > 1) return { problems: [`${path} holds no profile`] };
  const checked = profileSchema.safeParse(document.toJS());
  if (checked.success) return { profile: checked.data, problems: [] };
  const problems = checked.error.issues.map(({ path: at, message }) => {
    // Of a member that is missing, what lacks it.
    const node = [at, at.slice(0, -1), []].map((place) => document.getIn(place, true)).find(isNode);
    const field = at.length === 0 ? '' : `${at.join('.')}: `;
    return `${formatPosition(positionAt(node?.range?.[0] ?? 0))}: ${field}${message}`;
  });
  return { problems };
}

function whatKeepsFromStarting(profile: SeccompProfile, subject: Subject): string | null {
  const machine = machineOf(process.arch);
  if (machine === null) return null;
  const { add, drop } = subject.capabilities;
  const capabilities = new Set<string>(effectiveCapabilities(add, drop, subject.privileged));
  const context: FilterContext = { machine, capabilities, kernel: ANY_KERNEL };
  const missing = missingCalls(profile, context);
  if (missing.length > 0) return `no container can start without ${missing.join(', ')}`;
  try {
    compileFilter(rulesOf(profile, context));
    return null;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

function refused(messages: readonly string[]): LoadedProfile {
  const problems = messages.slice(0, SHOWN).map((message) => ({ field: 'seccomp', message }));
  return { seccomp: undefined, problems };
}

/** @param place the file that it is of, or the field */
function judged(text: string, place: string, subject: Subject): LoadedProfile {
  const { profile, problems } = read(text, place);
  if (profile === undefined) return refused(problems);
  const obstacle = whatKeepsFromStarting(profile, subject);
  return obstacle === null ? { seccomp: profile, problems: [] } : refused([`${place}: ${obstacle}`]);
}

/** @param subject with absolute paths. */
export function loadProfile(subject: Subject, readFile: ReadFile): LoadedProfile {
  if (subject.seccomp === 'unconfined') return { seccomp: 'unconfined', problems: [] };
  const inline = profileText(subject);
  if (inline !== null) return judged(inline, 'seccomp', subject);
  const named = profilePath(subject);
  if (named === null) return { seccomp: undefined, problems: [] };
  const file = readFile(named);
  if (!file.ok) {
    const { message, hint, reason } = file;
    const refused = reason === 'untrusted' && { refused: hint };
    const unanswered = countsAsBefore(file) && { unanswered: true };
    return { seccomp: undefined, problems: [{ field: 'seccomp', message, ...unanswered, ...refused }] };
  }
  return judged(file.bytes.toString('utf8'), named, subject);
}
