import { writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ManifestInput } from '../../../api/requests.ts';
import type { ManifestIssue } from '../../../manifest/issue.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { printWarnings } from '../../import-warnings.ts';
import { type ManifestOptions, readManifests, textsOf } from '../../input.ts';
import { manifestOptions, requireManifests } from '../../options.ts';

interface ConvertOptions extends ManifestOptions {
  readonly output: string;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Translates a Compose file, Kubernetes objects or Quadlet units to a manifest. A part without a meaning here is a warning with its ' +
      'position, and a comment in the manifest; an important part that cannot be translated is an error.\n\n' +
      'Such files can also be applied and watched directly. Relative paths start at the directory of the original.',
    examples: [
      ['tsdocker convert -f compose.yaml -o blog.yaml', 'Move an app from Compose for good'],
      ['tsdocker convert -f compose.yaml -f prod.yaml', 'Compose files that are merged, as with docker compose -f'],
      ['tsdocker convert -f /etc/containers/systemd', 'Show the translation of a directory of Quadlet units'],
    ],
    exitCodes: [
      ['0', 'translated, perhaps with warnings'],
      ['1', 'a part cannot be translated, or the file is already a manifest'],
    ],
  });
  manifestOptions(command, 'the file to translate');
  command.option('-o, --output <path>', 'file for the manifest; an existing file is not replaced', '-');
  command.action(context.action((options: ConvertOptions) => run(context, options)));
}

function onlyOne(inputs: readonly ManifestInput[]): ManifestInput {
  const [input, second] = inputs;
  if (input && !second) return input;
  throw new TsdError('TSD_BAD_REQUEST', `${inputs.length} files were named, each of them an app`, {
    hint: 'Translate one at a time.',
  });
}

async function run(context: CliContext, options: ConvertOptions): Promise<number> {
  const input = onlyOne(requireManifests(await readManifests(context, options)));
  const { appNameOf, parseManifest } = await import('../../../manifest/parse.ts');
  const { readContentFile } = await import('../../../manifest/source/files.ts');
  const { text, file } = input;
  const baseDir = input.baseDir === '' ? context.streams.cwd : input.baseDir;
  const reach = { baseDir, readFile: readContentFile };
  const { translation, issues } = parseManifest({ text, file, appDefault: appNameOf(file), reach });
  if (!translation) {
    throw new TsdError('TSD_BAD_REQUEST', `${file} is not a Compose file, Kubernetes object or Quadlet unit`, {
      hint: 'A manifest needs no translation; `tsdocker validate` shows its problems.',
    });
  }
  printWarnings(context, translation.warnings);
  if (issues.length > 0) return refuse(context, issues, input);
  const { manifestText } = await import('../../../manifest/importers/write.ts');
  write(context, options.output, manifestText(translation), baseDir);
  return EXIT.ok;
}

async function refuse(context: CliContext, issues: readonly ManifestIssue[], input: ManifestInput): Promise<number> {
  const { formatIssues } = await import('../../../manifest/issue.ts');
  context.warn(formatIssues(issues, textsOf([input])).trimEnd());
  return EXIT.error;
}

function write(context: CliContext, output: string, text: string, baseDir: string): void {
  if (output === '-') {
    context.print(text);
    return;
  }
  const path = resolve(context.streams.cwd, output);
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' ? 'the file exists already' : message;
    throw new TsdError('TSD_BAD_REQUEST', `${path}: ${reason}`, { hint: 'Name another file after -o.', cause: thrown });
  }
  if (dirname(path) !== baseDir)
    context.warn(`note: relative paths in it start at ${dirname(path)}, not at ${baseDir}`);
}
