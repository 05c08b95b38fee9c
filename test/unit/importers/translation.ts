/** Translations of files that exist for a test only. */
import { dirname } from 'node:path';
import { bundleText, groupFiles } from '../../../src/manifest/importers/bundle.ts';
import { appNameOf, parseManifest } from '../../../src/manifest/parse.ts';
import { formatPosition } from '../../../src/model/resource.ts';

/** Text by absolute path. */
export type Files = Readonly<Record<string, string>>;

function translate(file: string, text: string, files: Files) {
  const readFile = (path: string) => {
    const found = Object.hasOwn(files, path) ? files[path] : undefined;
    return found === undefined
      ? { ok: false as const, reason: 'missing' as const, message: `${path}: no such file` }
      : { ok: true as const, bytes: Buffer.from(found) };
  };
  const reach = { baseDir: dirname(file), readFile };
  const { app, issues, translation } = parseManifest({ text, file, appDefault: appNameOf(file), reach });
  const told = (list: readonly { position: Parameters<typeof formatPosition>[0]; message: string }[]) =>
    list.map(({ position, message }) => `${formatPosition(position)}: ${message}`);
  const specs = (app?.resources ?? []).flatMap(({ name, kind, spec }) => (spec ? [[`${kind}/${name}`, spec]] : []));
  return {
    app: app?.app,
    manifest: (translation?.manifest ?? {}) as Record<string, Record<string, Record<string, unknown>>>,
    specs: Object.fromEntries(specs) as Record<string, unknown>,
    inputs: translation?.inputs ?? [],
    issues: told(issues),
    warnings: told(translation?.warnings ?? []),
  };
}

/** The file of a path, with the others beside it. */
export function translated(file: string, files: Files) {
  return translate(file, files[file] ?? '', files);
}

/** Several Compose files as one project. */
export function translatedTogether(paths: readonly string[], files: Files) {
  const parts = paths.map((file) => ({ file, text: files[file] ?? '' }));
  return translate(paths[0] ?? '', bundleText('compose', parts), files);
}

/** Quadlet units of a directory as one app. */
export function translatedUnits(units: Files) {
  const [group] = groupFiles(Object.entries(units).map(([path, text]) => ({ path, content: { ok: true, text } })));
  if (!group?.content.ok) throw new Error('expected units');
  return translate(group.path, group.content.text, units);
}

/** One service `a` of a Compose file, as the lines of its mapping. */
export function service(lines: string, rest: Files & { '.': string } = { '.': '' }) {
  const body = lines.replace(/^/gm, '    ');
  const text = `services:\n  a:\n    image: x\n${body}\n${rest['.']}`;
  return translated('/app/shop.yaml', { ...rest, '/app/shop.yaml': text });
}
