/** Every block of every document works as described, from its own text. */
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml, stringify } from 'yaml';
import { TrustPolicyFile } from '../../src/images/trust/policy.ts';
import { parseManifest } from '../../src/manifest/parse.ts';
import { type Block, blocksOf, documents, REPOSITORY } from '../support/documents.ts';
import { type Outcome, runOnPrivateMachine } from '../support/private-machine.ts';
import { temporaryDirectories } from '../support/temp-root.ts';

const directory = temporaryDirectories('documents');
const blocks = documents().flatMap(blocksOf);
const at = ({ file, line }: Block): string => `${file}:${line}`;

type Fields = Readonly<Record<string, unknown>>;

/** Kinds of resources by the heading of their fields in docs/manifest.md. */
const SECTIONS: Readonly<Record<string, string>> = {
  Containers: 'containers',
  Images: 'images',
  Volumes: 'volumes',
  Networks: 'networks',
};
/** What a field needs beside it, where its text says that it does: by section and heading. */
const COMPANIONS: Readonly<Record<string, Fields>> = {
  'containers resources.memorySwap': { resources: { memory: '256MiB' } },
  'networks gateway': { subnet: '10.80.0.0/24' },
  'networks ipRange': { subnet: '10.80.0.0/24' },
  'networks gateway6': { subnet6: 'fd12:3456:789a:1::/64' },
  'networks ipRange6': { subnet6: 'fd12:3456:789a:1::/64' },
  'networks reserved': { subnet: '10.80.0.0/24' },
  'networks vlan': { driver: 'macvlan', parent: 'eth0' },
};
const IMAGE_SOURCES = ['pull', 'build', 'archive', 'layout', 'rootfs', 'host'];

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Mappings of both as one; of other values the second. */
function merged(a: Fields, b: Fields): Fields {
  const entries = Object.entries(b).map(([name, value]) => {
    const before = a[name];
    return [name, isFields(before) && isFields(value) ? merged(before, value) : value];
  });
  return { ...a, ...Object.fromEntries(entries) };
}

function required(section: string, written: Fields): Fields {
  if (section === 'containers') return { image: 'app:1' };
  if (section !== 'images' || IMAGE_SOURCES.some((source) => source in written)) return {};
  return 'config' in written ? { rootfs: './root' } : { pull: 'app:1' };
}

/** A block that shows fields of one resource, as a whole manifest. */
function manifestOf(section: string, { text, headings }: Block): string {
  const written = parseYaml(text) as Fields;
  const companion = COMPANIONS[`${section} ${headings.at(-1)}`] ?? {};
  return stringify({ [section]: { one: merged(merged(required(section, written), companion), written) } });
}

function expectManifest(text: string, block: Block): void {
  const { issues } = parseManifest({ text, file: at(block), appDefault: 'document' });
  const messages = issues.map(({ message }) => message);
  expect(messages, messages.join('\n')).toEqual([]);
}

function checkYaml(block: Block): void {
  const section = block.headings.map((heading) => SECTIONS[heading]).find((found) => found !== undefined);
  const names = Object.keys(parseYaml(block.text) as Fields);
  const isWhole = names.some((name) => name === 'images' || name === 'containers');
  expectManifest(isWhole ? block.text : manifestOf(section ?? 'containers', block), block);
}

function checkTrustPolicy({ text }: Block): void {
  const base = directory();
  const file = join(base, 'trust.yaml');
  mkdirSync(join(base, 'keys'));
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  writeFileSync(join(base, 'keys/team.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(file, text);
  expect(new TrustPolicyFile(file, false).decide({ registry: 'docker.io', repository: 'library/nginx' })).toMatchObject(
    {
      rule: { type: 'accept' },
    },
  );
}

function checkPrometheus({ text }: Block): void {
  const file = join(directory(), 'prometheus.yml');
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
  expect(`${status} ${stdout}${stderr}`).toMatch(/^0 .*SUCCESS/s);
}

/** Changes of the firewall are made in a network namespace that ends with the command. */
function checkRules({ text }: Block): void {
  execFileSync('unshare', ['--net', 'sh', '-ec', text], { stdio: 'pipe' });
}

const has = (block: Block, file: string | RegExp, language: string): boolean =>
  block.language === language && (typeof file === 'string' ? block.file === file : file.test(block.file));

const inFirstLines = (block: Block): boolean => block.file === 'README.md' && block.headings.length === 1;

/** The kinds of blocks, and what is checked of each. A block of no kind fails. */
const KINDS: readonly {
  readonly is: (block: Block) => boolean;
  readonly check: ((block: Block) => void) | 'script';
}[] = [
  { is: inFirstLines, check: checkNpmScripts },
  { is: (block) => has(block, /^(README\.md|examples\/[^/]+\/README\.md)$/, 'sh'), check: 'script' },
  { is: (block) => has(block, 'docs/images.md', 'yaml') && block.text.startsWith('default:'), check: checkTrustPolicy },
  { is: (block) => has(block, 'docs/observability.md', 'yaml'), check: checkPrometheus },
  { is: (block) => block.text.startsWith('nft '), check: checkRules },
  { is: (block) => block.language === 'yaml', check: checkYaml },
  // Drawings, captures and formats: nothing is typed there.
  {
    is: (block) =>
      has(block, /^(ARCHITECTURE|README|CHANGELOG)\.md$|^docs\//, 'text') || has(block, 'ARCHITECTURE.md', ''),
    check: () => {},
  },
];

const kindOf = (block: Block) => KINDS.find(({ is }) => is(block));

function checkNpmScripts({ text }: Block): void {
  const { scripts } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const line of text.trim().split('\n')) {
    const [, name = ''] = /^npm (?:run )?(\S+)/.exec(line) ?? [];
    expect(Object.keys(scripts)).toContain(name);
  }
}

test('every block has a kind that is checked', () => {
  expect(blocks.filter((block) => kindOf(block) === undefined).map(at)).toEqual([]);
});

describe('a block is valid', () => {
  const shown = blocks.filter((block) => kindOf(block)?.check !== 'script');
  test.each(shown.map((block) => [at(block), block] as const))('%s', (_, block) => {
    const kind = kindOf(block);
    if (kind && kind.check !== 'script') kind.check(block);
  });
});

/** A clone of this checkout with its packages, as it stands: not only what is committed. */
function copyOfRepository(): string {
  const copy = join(directory(), 'tsdocker');
  const files = execFileSync('git', ['-C', REPOSITORY, 'ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' });
  for (const file of files.split('\n').filter((name) => name !== '')) cpSync(join(REPOSITORY, file), join(copy, file));
  for (const built of ['dist', 'build']) cpSync(join(REPOSITORY, built), join(copy, built), { recursive: true });
  symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** A command whose line says so fails; `plan` and `diff` exit with 2 when there is something to do. */
function expectAsSaid(text: string, { failures, output }: Outcome): void {
  const lines = text.split('\n');
  const meant = (line: number): boolean => / # fails/.test(lines[line - 1] ?? '');
  const unexpected = failures.filter(
    ({ status, line, command }) => !meant(line) && !(status === 2 && /tsdocker (plan|diff)\b/.test(command)),
  );
  expect(unexpected, output).toEqual([]);
  const failed = new Set(failures.map(({ line }) => line));
  expect(lines.flatMap((_, index) => (meant(index + 1) && !failed.has(index + 1) ? [lines[index]] : []))).toEqual([]);
}

const START = 'tsdocker daemon 2>"$BASE/log" &\ntsdocker info --wait >/dev/null\n';

describe('the commands of a document work as described', () => {
  const scripts = blocks.filter((block) => kindOf(block)?.check === 'script');
  const files = [...new Set(scripts.map(({ file }) => file))];
  test.each(files)('%s', async (file) => {
    const copy = copyOfRepository();
    const typed = scripts
      .filter((block) => block.file === file)
      .map(({ text }) => text)
      .join('');
    const script = file === 'README.md' ? typed : `${START}${typed}`;
    const outcome = await runOnPrivateMachine(script, copy, [join(copy, 'bin')]);
    expectAsSaid(script, outcome);
    // It ends with the removal of everything.
    if (file === 'README.md') expect(outcome.instance, outcome.output).toBe('');
    expect(outcome.output).not.toContain('TSD_BUG');
  });
});
